"""Sidecars: subtitle files beside a video that share its stem."""

import logging
import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b

from framefind.errors import StoreError, WordsError
from framefind.files.objects import is_remote, list_objects, open_object, stat_objects
from framefind.types import Cue
from framefind.words.ass import read_ass
from framefind.words.encodings import decode_text
from framefind.words.languages import find_language
from framefind.words.markup import strip_markup
from framefind.words.microdvd import read_microdvd
from framefind.words.sami import read_sami
from framefind.words.subrip import read_subrip, read_webvtt
from framefind.words.ttml import read_ttml

MAX_BYTES = 16 << 20
"""A larger file of text is no subtitles, or more than anybody reads."""

MAX_VOBSUB_BYTES = 256 << 20
"""A DVD holds at most 32 languages of about 5 MB each."""

_FORMATS = {
    ".ass": "ass",
    ".dfxp": "ttml",
    ".idx": "vobsub",
    ".itt": "ttml",
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

_SAMPLE = 1 << 12
"""Characters by which a file's format is told."""
_XML = "<?xml", "<tt", "<!DOCTYPE tt"
_READERS: dict[str, Callable[[str, str], Iterator[Cue]]] = {
    "ass": read_ass,
    "sami": read_sami,
    "srt": read_subrip,
    "ssa": read_ass,
    "ttml": read_ttml,
    "vtt": read_webvtt,
}
_VOBSUB = b"\x00\x00\x01\xba"
"""How a file of pictures begins: as a program stream."""
_RARE = {"mpl2", "tmp"}
"""Formats without a suffix of their own, which pysubs2 reads."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sidecar:
    """A subtitle file: its path or URI, bytes, and when it was modified, in its store's units."""

    path: str
    size: int
    modified: int

    @property
    def name(self) -> str:
        """Return the file's name."""
        return os.path.basename(self.path)


class Sidecars:
    """The sidecars of many videos; every folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[str, list[Sidecar] | None] = {}

    def find(self, video: str | os.PathLike[str]) -> list[Sidecar] | None:
        """Return the sidecars of a video, by name; None where its folder cannot be listed."""
        folder, name = os.path.split(os.fspath(video))
        stem = os.path.splitext(name)[0].casefold()
        if folder not in self._folders:
            self._folders[folder] = _list_subtitles(folder)
        files = self._folders[folder]
        if files is None:
            return None
        sidecars = []
        for file in files[bisect_left(files, f"{stem}.", key=_folded) :]:
            if not _folded(file).startswith(f"{stem}."):
                break
            if all(_tells_language(part) for part in _suffixes(file, stem)):
                sidecars.append(file)
        return sidecars


def describe_sidecars(files: Iterable[Sidecar]) -> str:
    """Return a short hash of a video's sidecars, which changes as they do; empty for none."""
    facts = [f"{file.name}\0{file.size}\0{file.modified}\0".encode() for file in files]
    return blake2b(b"".join(facts), digest_size=4).hexdigest() if facts else ""


def find_videos(paths: Iterable[str]) -> set[str]:
    """Return the files beside those of some paths that are subtitles, which these may belong to."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        if _is_subtitles(name):
            folders.setdefault(folder, []).append(name.casefold())
    videos: set[str] = set()
    for folder, names in folders.items():
        by_stem = _list_others(folder)
        for name in names:
            stem = name
            while "." in stem:
                stem = stem.rpartition(".")[0]
                videos.update(by_stem.get(stem, ()))
    return videos


def _list_others(folder: str) -> dict[str, list[str]]:
    """Return the paths of all files of a folder but subtitles, by stem without case."""
    by_stem: dict[str, list[str]] = {}
    with suppress(OSError):
        for name in os.listdir(folder):
            if not _is_subtitles(name):
                stem = os.path.splitext(name)[0].casefold()
                by_stem.setdefault(stem, []).append(os.path.join(folder, name))
    return by_stem


def read_sidecar(
    path: str | os.PathLike[str],
    language: str = "",
    fps: float | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Iterator[Cue]:
    """Yield the cues of a subtitle file, by time, not yet tidied.

    `language` is used where its name tells none; `fps` counts the frames of a MicroDVD file that
    does not tell its own. `alive` is called for every drawn subtitle. Raises WordsError for a file
    that is broken, or no subtitles, and StoreError when its store does not give it.
    """
    path = os.fspath(path)
    name = os.path.basename(path)
    suffix = os.path.splitext(name)[1].casefold()
    known_language = _name_language(name) or language
    if suffix == ".idx":  # it is read with its `.sub`; recorders write others beside videos
        return
    try:
        data = _read_bytes(path)
        if data.startswith(_VOBSUB):
            cues = list(_read_vobsub(path, data, known_language, alive))
        else:
            text = decode_text(data, known_language).replace("\r\n", "\n").replace("\r", "\n")
            cues = list(_read_text(text, suffix, known_language, fps))
        if not cues:
            raise ValueError("it holds no cue")
    except (WordsError, StoreError):
        raise
    except Exception as error:  # the parsers raise errors of many types
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WordsError(f"{name} is broken, or no subtitles: {reason}") from error
    yield from sorted(cues, key=lambda cue: cue.start)


def _read_vobsub(path: str, data: bytes, language: str, alive: Callable[[], None]) -> Iterator[Cue]:
    """Yield the cues of a VobSub file. Raises WordsError without the `.idx` that has its times."""
    from framefind.words.vobsub import read_vobsub  # loads PyAV

    stem = os.path.splitext(path)[0]
    for index in (f"{stem}.idx", f"{stem}.IDX"):
        if _exists(index):
            yield from read_vobsub(data, _read_bytes(index), language, alive)
            return
    name = os.path.basename(stem)
    raise WordsError(
        f"{name}.sub holds pictures (VobSub): put {name}.idx, which has their times, beside it"
    )


def _read_text(text: str, suffix: str, language: str, fps: float | None) -> Iterator[Cue]:
    """Return the cues of a file's text. They raise errors of parsers."""
    format_ = _tell_format(text, suffix)
    if format_ == "microdvd":
        return read_microdvd(text, language, fps)
    if format_ in _READERS:
        return _READERS[format_](text, language)
    return _read_other(text, format_, language)


def _read_other(text: str, format_: str, language: str) -> Iterator[Cue]:
    """Yield the cues of a file of a rare format."""
    import pysubs2

    for event in pysubs2.SSAFile.from_string(text, format_).events:
        yield Cue(
            event.start / 1000, event.end / 1000, strip_markup(event.text), "subtitles", language
        )


def _tell_format(text: str, suffix: str) -> str:
    """Return the format of a file by its beginning, else by its suffix: many have a wrong one."""
    from pysubs2.exceptions import FormatAutodetectionError
    from pysubs2.formats import autodetect_format

    if text.lstrip().startswith(_XML):
        return "ttml"
    try:
        format_ = autodetect_format(text[:_SAMPLE])
    except FormatAutodetectionError:
        return _FORMATS[suffix]
    return format_ if format_ in {*_FORMATS.values(), *_RARE} else _FORMATS[suffix]


def _list_subtitles(folder: str) -> list[Sidecar] | None:
    """Return the subtitle files of a folder, by name without case; None if it cannot be listed."""
    try:
        files = _list_objects(folder) if is_remote(folder) else _list_files(folder)
    except FileNotFoundError:
        return []
    except (OSError, StoreError) as error:
        _log.warning("%s: subtitle files beside videos are not looked for: %s", folder, error)
        return None
    return sorted(files, key=lambda file: (_folded(file), file.path))


def _list_files(folder: str) -> list[Sidecar]:
    files = []
    with os.scandir(folder or os.curdir) as entries:
        for entry in entries:
            if _is_subtitles(entry.name):
                with suppress(OSError):  # gone meanwhile, or out of reach
                    facts = entry.stat()
                    files.append(Sidecar(entry.path, facts.st_size, facts.st_mtime_ns))
    return files


def _list_objects(folder: str) -> list[Sidecar]:
    objects = list_objects(folder, depth=1)
    files = [Sidecar(entry.uri, entry.size, entry.modified) for entry in objects]
    return [file for file in files if _is_subtitles(file.name)]


def _is_subtitles(name: str) -> bool:
    return os.path.splitext(name)[1].casefold() in _FORMATS and not name.startswith(".")


def _folded(file: Sidecar) -> str:
    return file.name.casefold()


def _suffixes(file: Sidecar, stem: str) -> list[str]:
    """Return what stands between the stem of a video and the suffix of its sidecar."""
    between = os.path.splitext(_folded(file))[0][len(stem) :]
    return [part for part in between.split(".") if part]


def _name_language(name: str) -> str:
    """Return the language that a sidecar's name tells by its last parts, or nothing."""
    for part in reversed(os.path.splitext(name)[0].casefold().split(".")[1:]):
        if language := _part_language(part):
            return language
        if not _tells_language(part):
            break
    return ""


def _part_language(part: str) -> str | None:
    """Return the language of a part such as `pt-br`, `en-forced` or `hi`, if it tells one."""
    return find_language(_drop_flags(part) or part)


def _tells_language(part: str) -> bool:
    """Return whether a part of a sidecar's name is a language, flags, or both."""
    return not _drop_flags(part) or _part_language(part) is not None


def _drop_flags(part: str) -> str:
    """Return a part of a sidecar's name without the flags at its end."""
    words = re.split("[-_ ]", part)
    while words and words[-1] in _FLAGS:
        words.pop()
    return "-".join(words)


def _read_bytes(path: str) -> bytes:
    """Return the content of a file. Raises WordsError for one that is too large."""
    name = os.path.basename(path)
    max_bytes = MAX_BYTES
    data = _read_head(path, max_bytes + 1)
    if len(data) > max_bytes and data.startswith(_VOBSUB):
        max_bytes = MAX_VOBSUB_BYTES
        data = _read_head(path, max_bytes + 1)
    if len(data) > max_bytes:
        raise WordsError(f"{name} is larger than {max_bytes >> 20} MiB, too large for subtitles")
    return data


def _exists(path: str) -> bool:
    """Return whether there is a file. Raises StoreError where its store does not tell."""
    return stat_objects([path])[path] is not None if is_remote(path) else os.path.exists(path)


def _read_head(path: str, size: int) -> bytes:
    """Return the first `size` bytes of a file."""
    if is_remote(path):
        return open_object(path).at(0, size)
    with open(path, "rb") as file:
        return file.read(size)
