"""Models on the Hugging Face hub: found in its cache on this machine, else downloaded.

Everything goes through huggingface_hub, so that HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE
work as they do elsewhere. Only the files that a runtime chooses are downloaded.

Its cache is searched here, by its documented layout: `snapshot_download` would do that too, but
importing it takes 0.3 s of every start, and neither it nor `verify_repo_checksums`, which asks the
network, tells whether the files of a snapshot are complete.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from framefind.errors import ModelError
from framefind.models.layouts.base import Files
from framefind.models.layouts.external_data import external_files
from framefind.models.layouts.open_clip import find_settings
from framefind.models.layouts.registry import Chooser
from framefind.models.layouts.safetensors import SHARD_INDEX, read_index
from framefind.models.messages import first_line
from framefind.models.weights_hash import sha256

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_SHA1 = re.compile(r"[0-9a-f]{40}")
_TOKENIZERS = {"tokenizer.json", "textual/tokenizer.json"}
_PREPROCESSORS = {"preprocessor_config.json", "processor_config.json"}
_MAX_DOWNLOADS = 2
"""Attempts at files that arrive damaged."""


def find_cached(repository: str, revision: str | None, chooser: Chooser) -> Path | None:
    """Return the folder of a repository, if all that is chosen of it is here and undamaged.

    `revision` is a commit, branch or tag; None is the newest that was downloaded. No network is
    asked.
    """
    from huggingface_hub import constants

    place = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    name = revision or constants.DEFAULT_REVISION
    try:
        commit = (place / "refs" / name).read_text("ascii").strip()
    except OSError:
        commit = name
    folder = place / "snapshots" / commit
    return folder if _is_complete(folder, chooser) else None


def download(
    name: str,
    repository: str,
    revision: str | None,
    chooser: Chooser,
    command: str,
    suggest: Callable[[], str],
) -> Path:
    """Download what is missing of the chosen files of a model's repository, and check all of them.

    Files that are complete are kept; one whose content does not match the hub's hash is downloaded
    again. Returns their folder. Raises ModelError when there is no such model, which `suggest` says
    what to do about, or no network: then `command` downloads it.
    """
    from huggingface_hub import HfApi, snapshot_download

    try:
        info = HfApi().model_info(repository, revision=revision)
        files = chooser([sibling.rfilename for sibling in info.siblings or ()])
        for _ in range(_MAX_DOWNLOADS):
            with _bars_on_terminals_only():
                folder = Path(
                    snapshot_download(
                        repository, revision=revision, allow_patterns=list(files.names)
                    )
                )
            damaged = _find_damaged(folder, files)
            if not damaged:
                return folder
            for file in damaged:
                file.resolve().unlink(missing_ok=True)
                file.unlink(missing_ok=True)
    except LookupError as error:
        raise ModelError(f"model {name}: the repository {repository} {error}") from None
    except Exception as error:  # of huggingface_hub, or of the HTTP client that its version uses
        raise _as_model_error(name, repository, command, suggest, error) from None
    raise ModelError(f"model {name}: {damaged[0].name} arrives damaged from {repository}")


def _is_complete(folder: Path, chooser: Chooser) -> bool:
    """Return whether the weights and their settings are in a snapshot, undamaged."""
    entries = [entry for entry in folder.rglob("*") if entry.is_file()]
    try:
        files = chooser([entry.relative_to(folder).as_posix() for entry in entries])
    except LookupError:
        return False
    if _find_damaged(folder, files):
        return False
    graphs = [folder / name for name in (files.image, files.text) if name.endswith(".onnx")]
    if graphs and not _has_settings(folder, files.names):
        return False
    outside = [graph.with_name(name) for graph in graphs for name in external_files(graph)]
    for name in files.names:
        if name.endswith(SHARD_INDEX):
            outside += read_index(folder / name)
    return all(file.exists() for file in outside)


def _has_settings(folder: Path, names: Collection[str]) -> bool:
    """Return whether the settings that ONNX encoders are read with are among a snapshot's files."""
    if _TOKENIZERS.isdisjoint(names):
        return False
    if find_settings(folder):
        return True
    return "config.json" in names and not _PREPROCESSORS.isdisjoint(names)


def _find_damaged(folder: Path, files: Files) -> list[Path]:
    """Return the files whose content is not what the hub promised.

    In its cache, a file links to one that is named by its SHA-256, or by git's SHA-1 if small.
    """
    damaged = []
    for name in files.names:
        file = folder / name
        blob = file.resolve()
        if _SHA256.fullmatch(blob.name):
            digest = sha256(blob)
        elif _GIT_SHA1.fullmatch(blob.name):
            digest = _git_sha1(blob.read_bytes())
        else:
            continue
        if digest != blob.name:
            damaged.append(file)
    return damaged


def _git_sha1(content: bytes) -> str:
    """Return the hash by which git, and so the hub, names a small file, in hex."""
    head = b"blob %d\0" % len(content)
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


@contextmanager
def _bars_on_terminals_only() -> Iterator[None]:
    """Hide the progress on stderr where that is a file or a pipe."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _as_model_error(
    name: str, repository: str, command: str, suggest: Callable[[], str], error: Exception
) -> ModelError:
    """Return an error that says what failed, and what to do about it."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(f"model {name}: {repository} asks for a token with access: set HF_TOKEN")
    if isinstance(error, errors.RepositoryNotFoundError):
        return ModelError(
            f"unknown model {name!r}: the hub has no {repository}, or it is private and needs "
            f"HF_TOKEN; {suggest()}"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(f"model {name}: {repository} has no such revision")
    if isinstance(error, errors.HfHubHTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (401, 403):
            return ModelError(
                f"model {name}: the hub refuses {repository} ({status}): set HF_TOKEN"
            )
    reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else first_line(error)
    return ModelError(
        f"model {name} is not completely on this machine, and the hub does not give it ({reason}): "
        f"run `{command}` where there is a network; files that are complete are kept"
    )
