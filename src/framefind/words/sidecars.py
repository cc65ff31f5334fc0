"""Sidecars: subtitle files beside a video that share its stem."""

import os
import re
from bisect import bisect_left
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from framefind.errors import WordsError
from framefind.files.objects import is_remote
from framefind.types import Cue
from framefind.words.encodings import decode_text
from framefind.words.languages import find_language
from framefind.words.markup import strip_markup

MAX_BYTES = 16 << 20
"""A larger file is no subtitles, or more than anybody reads."""

_FORMATS = {
    ".ass": "ass",
    ".sami": "sami",
    ".smi": "sami",
    ".srt": "srt",
    ".ssa": "ssa",
    ".sub": "microdvd",
    ".ttml": "ttml",
    ".vtt": "vtt",
}
_FLAGS = {"cc", "default", "forced", "hi", "sdh", "hearing", "impaired", "orig", "original", "auto"}
"""Words that players allow in a sidecar's name beside its language."""


_VTT_TIMES = re.compile(r"^.*-->", re.MULTILINE)


class Sidecars:
    """The sidecars of many videos; every folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[str, list[tuple[str, str]]] = {}

    def find(self, video: str | os.PathLike[str]) -> list[Path]:
        """Return the sidecars of a video, by name; of one in an object store, none."""
        path = os.fspath(video)
        if is_remote(path):
            return []
        folder, name = os.path.split(path)
        stem = os.path.splitext(name)[0].casefold()
        if folder not in self._folders:
            self._folders[folder] = _list_subtitles(folder)
        names = self._folders[folder]
        found = []
        for folded, own in names[bisect_left(names, (f"{stem}.", "")) :]:
            if not folded.startswith(f"{stem}."):
                break
            if all(find_language(part) or part in _FLAGS for part in _suffixes(folded, stem)):
                found.append(Path(folder, own))
        return found

    def describe(self, video: str | os.PathLike[str]) -> str:
        """Return a short hash of a video's sidecars, which changes as they do; empty for none."""
        facts = blake2b(digest_size=4)
        files = self.find(video)
        for file in files:
            try:
                info = file.stat()
            except OSError:  # gone meanwhile, or out of reach
                continue
            facts.update(f"{file.name}\0{info.st_size}\0{info.st_mtime_ns}\0".encode())
        return facts.hexdigest() if files else ""


def read_sidecar(path: Path, language: str = "", fps: float | None = None) -> Iterator[Cue]:
    """Yield the cues of a subtitle file, by time, not yet tidied.

    `language` is used where its name tells none; `fps` counts the frames of a MicroDVD file that
    does not tell its own. Raises WordsError for a file that is broken, or no subtitles.
    """
    import pysubs2

    format_ = _FORMATS[path.suffix.casefold()]
    own = _name_language(path.name) or language
    try:
        text = decode_text(_read_bytes(path), own)
        text = _keep_cues(text) if format_ == "vtt" else text
        subtitles = pysubs2.SSAFile.from_string(text, format_, fps=fps)
    except WordsError:
        raise
    except Exception as error:  # its parsers raise errors of many types
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WordsError(f"{path.name} is broken, or no subtitles: {reason}") from error
    if not subtitles.events:
        raise WordsError(f"{path.name} is broken, or no subtitles: it holds no cue")
    for event in sorted(subtitles.events, key=lambda event: event.start):
        if not event.is_comment:
            plain = strip_markup(event.text, is_ass=format_ in ("ass", "ssa"))
            yield Cue(event.start / 1000, event.end / 1000, plain, "subtitles", own)


def _list_subtitles(folder: str) -> list[tuple[str, str]]:
    """Return the subtitle files of a folder, each as its name without case and as it is."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted((name.casefold(), name) for name in names if _is_subtitles(name))


def _is_subtitles(name: str) -> bool:
    return os.path.splitext(name)[1].casefold() in _FORMATS and not name.startswith(".")


def _suffixes(name: str, stem: str) -> list[str]:
    """Return what stands between the stem of a video and the suffix of its sidecar."""
    between = os.path.splitext(name)[0][len(stem) :]
    return [part for part in between.split(".") if part]


def _name_language(name: str) -> str:
    """Return the language that a sidecar's name tells by its last parts, or nothing."""
    for part in reversed(os.path.splitext(name)[0].split(".")[1:]):
        if language := find_language(part):
            return language
        if part.casefold() not in _FLAGS:
            break
    return ""


def _keep_cues(text: str) -> str:
    """Return a WebVTT file without what pysubs2 takes for text: names of cues, notes, styles."""
    blocks = re.split(r"\n[^\S\n]*\n", "\n".join(text.splitlines()))
    cues = (block[match.start() :] for block in blocks if (match := _VTT_TIMES.search(block)))
    return "\n\n".join(["WEBVTT", *cues])


def _read_bytes(path: Path) -> bytes:
    """Return the content of a file. Raises WordsError for one that is too large or no text."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise WordsError(f"{path.name} is larger than {MAX_BYTES >> 20} MiB, as no subtitles are")
    if data.startswith(b"\x00\x00\x01\xba"):
        raise WordsError(f"{path.name} holds pictures (VobSub), which are not read yet")
    return data
