"""Models on the Hugging Face hub: found in its cache on this machine, else downloaded.

Everything goes through huggingface_hub, so that HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE
work as they do elsewhere. Only what a runtime chooses is downloaded.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from framefind.errors import ModelError
from framefind.models import catalog
from framefind.models.checkpoints import INSTALL, missing
from framefind.models.layouts import Choose, Files
from framefind.models.weights_hash import sha256

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LOCATION = re.compile(rb"\n\x08location\x12(.)", re.DOTALL)  # StringStringEntryProto in onnx.proto
_GRAPH = 1 << 25  # bytes; a graph whose weights lie outside of it is smaller


def cached(repository: str, revision: str | None, chooser: Choose) -> Path | None:
    """The folder of a repository, if all that is chosen of it is here; no network is asked.

    `revision` is a commit, branch or tag; None is the newest that was downloaded.
    """
    from huggingface_hub import constants

    place = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    wanted = revision or "main"
    try:
        commit = (place / "refs" / wanted).read_text("ascii").strip()
    except OSError:
        commit = wanted
    folder = place / "snapshots" / commit
    return folder if _is_whole(folder, chooser) else None


def download(
    name: str, repository: str, revision: str | None, chooser: Choose, precision: str = "auto"
) -> Path:
    """Download what is missing of what is chosen of a model's repository, and check all of it.

    Files that are complete are kept; one whose content is not what the hub says is downloaded
    again. Raises ModelError when there is no such model, or no network.
    """
    from huggingface_hub import HfApi, snapshot_download

    try:
        facts = HfApi().model_info(repository, revision=revision)
        files = chooser([sibling.rfilename for sibling in facts.siblings or ()])
        for _ in range(2):
            with _bars_for_people():
                got = snapshot_download(
                    repository, revision=revision, allow_patterns=list(files.names)
                )
            folder = Path(got)
            if not (damaged := _damaged(folder, files)):
                return folder
            for file in damaged:
                file.resolve().unlink(missing_ok=True)
                file.unlink(missing_ok=True)
    except LookupError as error:
        raise ModelError(f"model {name}: the repository {repository} {error}") from None
    except Exception as error:  # of huggingface_hub, or of the HTTP client that its version uses
        at = "" if precision == "auto" else f" --precision {precision}"
        raise _explained(name, repository, f"framefind models download {name}{at}", error) from None
    raise ModelError(f"model {name}: {damaged[0].name} arrives damaged from {repository}")


def _is_whole(folder: Path, chooser: Choose) -> bool:
    """Whether the weights and their settings are in a snapshot, undamaged."""
    present = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    try:
        files = chooser(present)
    except LookupError:
        return False
    if _damaged(folder, files) or missing(folder, files.names):
        return False
    graphs = [folder / name for name in (files.pictures, files.texts) if name.endswith(".onnx")]
    if graphs and {"tokenizer.json", "textual/tokenizer.json"}.isdisjoint(files.names):
        return False
    return all(graph.with_name(name).exists() for graph in graphs for name in _outside(graph))


def _outside(tower: Path) -> set[str]:
    """Names of the files that hold a graph's weights, where the graph does not."""
    if tower.stat().st_size > _GRAPH:
        return set()
    graph = tower.read_bytes()
    found = ((match.end(), match[1][0]) for match in _LOCATION.finditer(graph))
    return {graph[start : start + length].decode("utf-8", "replace") for start, length in found}


def _damaged(folder: Path, files: Files) -> list[Path]:
    """Files that are not what the hub said: it names a large file by its SHA-256."""
    found = []
    for name in files.names:
        file = folder / name
        promised = file.resolve().name
        if _SHA256.fullmatch(promised) and sha256(file.resolve()) != promised:
            found.append(file)
    return found


@contextmanager
def _bars_for_people() -> Iterator[None]:
    """Progress on stderr, but not where that is a file or a pipe."""
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


def _explained(name: str, repository: str, command: str, error: Exception) -> ModelError:
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(f"model {name}: {repository} asks for a token with access: set HF_TOKEN")
    if isinstance(error, errors.RepositoryNotFoundError):
        more = "" if find_spec("open_clip") else f"; other names of open_clip need {INSTALL}"
        return ModelError(
            f"unknown model {name!r}: the hub has no {repository}, or it is private and needs "
            f"HF_TOKEN; {catalog.suggestions(name)}{more}"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(f"model {name}: {repository} has no such revision")
    if isinstance(error, errors.HfHubHTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (401, 403):
            return ModelError(
                f"model {name}: the hub refuses {repository} ({status}): set HF_TOKEN"
            )
    why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else _first_line(error)
    return ModelError(
        f"model {name} is not wholly on this machine, and the hub does not give it ({why}): run "
        f"`{command}` where there is a network; what is complete is kept"
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
