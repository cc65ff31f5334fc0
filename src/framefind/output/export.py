"""Hand moments over: which files are written, by what, from what.

A video that cannot be read is reported; the others are written. No file is replaced unasked, and a
video never.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from framefind import arguments
from framefind.errors import StoreError, UsageError, VideoError
from framefind.files import config
from framefind.files.disk import replacing
from framefind.files.names import native_path, readable_first
from framefind.output import csv, html, ndjson, pdf
from framefind.output.files import Names, check_target, fill_pattern, safe_name
from framefind.output.options import CLIP_NAMES, How
from framefind.output.timelines.base import clip_title, matched_words, video_name
from framefind.output.timelines.registry import EDITS, PLAYLISTS
from framefind.output.timelines.timeline import build_timeline, describe_rounding
from framefind.reports import Exported
from framefind.tables.tables import Tables
from framefind.times import clock
from framefind.types import Moment, Page, PathLike, Video
from framefind.video.frame_grid import FrameGrid
from framefind.video.read_grid import read_frame_grid

Pictures = Callable[[Sequence[Moment]], list[bytes | None]]
"""Returns the JPEG of each moment's best frame, or None."""

TABLES = {"csv": ".csv", "ndjson": ".ndjson", "html": ".html", "pdf": ".pdf"}
"""Tables and reports, with their suffixes."""

CLIPS = "clips"
"""Each moment as a video file of its own."""

REEL = "reel"
"""All moments as one film."""

FORMATS = (CLIPS, REEL, *EDITS, *PLAYLISTS, *TABLES)
"""All formats of `export`."""


def find_suffix(to: str) -> str:
    """Return the suffix of the files of a format; clips have none of their own."""
    if to in (CLIPS, REEL):
        return "" if to == CLIPS else ".mp4"
    return TABLES.get(to) or (EDITS.get(to) or PLAYLISTS[to]).suffix


def makes_folder(to: str, videos: int) -> bool:
    """Return whether the moments of several videos become files of a folder."""
    return to == CLIPS or (to in EDITS and EDITS[to].marks and videos > 1)


def export(
    uri: str,
    moments: Sequence[Moment],
    pictures: Pictures,
    to: str,
    out: PathLike | None,
    how: How,
) -> Exported:
    """Write moments of the videos of the library `uri`: see `Library.export`."""
    arguments.choice(to, "to", FORMATS)
    arguments.number(how.get("padding", 0.0), "padding", 0)
    unknown = how.keys() - How.__annotations__
    if unknown:
        raise UsageError(f"export takes no {', '.join(sorted(unknown))}")
    if not moments:
        raise UsageError("there is no moment to export")
    title = how.get("title") or "framefind"
    target = _choose_target(uri, to, out, title)
    rows = {row.video_id: row for row in Tables.open(uri).videos()}
    padded = [_locate(moment, rows, how.get("padding", 0.0)) for moment in moments]
    writer = _Writer(target, how.get("overwrite", False), padded, Exported())
    if to == CLIPS:
        _write_clips(rows, how, writer)
    elif to == REEL:
        _write_reel(rows, how, writer)
    elif to in EDITS:
        _write_edits(to, title, rows, writer)
    elif to in PLAYLISTS:
        writer.write(target, _join(PLAYLISTS[to].write(padded, title)))
    else:
        writer.write(target, _write_table(to, padded, pictures, title))
    return writer.done


class _Writer:
    """Writes files that are checked first, and notes them."""

    def __init__(
        self, target: Path, overwrite: bool, moments: list[Moment], done: Exported
    ) -> None:
        self.target = target
        self.moments = moments
        self.done = done
        self._overwrite = overwrite

    def check(self, path: Path) -> None:
        """Raise UsageError if a file may not be written."""
        check_target(path, self._overwrite, self._sources)

    def open(self, path: Path) -> AbstractContextManager[Path]:
        """Return a context whose file takes the place of `path`. Raises as `check` does."""
        self.check(path)
        return replacing(path)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file. Raises UsageError if that may not be."""
        with self.open(path) as fresh:
            fresh.write_bytes(content)
        self.done.files.append(str(path))

    def _sources(self) -> Iterator[str]:
        return (native_path(moment.path) for moment in self.moments)


def _choose_target(uri: str, to: str, out: PathLike | None, title: str) -> Path:
    """Return the file or folder to write: `out`, or one with the title in the folder for that."""
    if out is not None:
        (text,) = arguments.texts(out, "out")
        return Path(text).expanduser()
    setting = config.read_settings(uri)["export_folder"]
    if setting.value is None:
        raise UsageError("say where to write: `out`, or `export_folder` in framefind.toml")
    place = Path(setting.value).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    return place / f"{safe_name(title)}{find_suffix(to)}"


def _locate(moment: Moment, rows: Mapping[str, Video], padding: float) -> Moment:
    """Return a moment with room around it, at a path of its video that can be read."""
    row = rows.get(moment.video_id)
    path = readable_first(row.paths)[0] if row else moment.path
    end = moment.end + padding
    if row and row.duration:
        end = max(moment.end, min(end, row.duration))
    return replace(moment, path=path, start=max(0.0, moment.start - padding), end=end)


def _join(lines: Iterator[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _write_table(to: str, moments: list[Moment], pictures: Pictures, title: str) -> bytes:
    if to == "csv":
        return _join(csv.write_moments(moments))
    if to == "ndjson":
        return _join(ndjson.write(Page(moments, len(moments), 0), {}))
    if to == "html":
        return _join(html.write(moments, pictures(moments), title))
    return pdf.write(moments, pictures(moments), title)


# -- what counts frames


def _write_edits(to: str, title: str, rows: Mapping[str, Video], writer: _Writer) -> None:
    """Write a timeline of all moments, or one for each video where the format marks videos."""
    edit = EDITS[to]
    moments, grids = _find_readable(rows, writer)
    groups = {path: [m for m in moments if m.path == path] for path in grids}
    if not edit.marks:
        groups = {"": moments}
    target = writer.target
    names = dict.fromkeys(groups, target)
    if edit.marks and (len(groups) > 1 or target.is_dir()):
        if target.suffix and not target.is_dir():
            raise UsageError(
                f"`out` {target}: moments of {len(groups)} videos make as many files; name a folder"
            )
        target.mkdir(parents=True, exist_ok=True)
        unique_names = Names(target)
        names = {
            path: unique_names.give(Path(video_name(path)).stem, edit.suffix) for path in groups
        }
    for path in names.values():
        writer.check(path)
    for key, group in groups.items():
        timeline = build_timeline(title, group, grids)
        writer.write(names[key], _join(edit.write(timeline)))
        if not edit.in_seconds:
            writer.done.notes.extend(describe_rounding(timeline))


def _find_readable(
    rows: Mapping[str, Video], writer: _Writer
) -> tuple[list[Moment], dict[str, FrameGrid]]:
    """Return the moments whose videos can be read, and how their frames are counted, by path.

    Notes those that fail. Raises VideoError where all do.
    """
    grids: dict[str, FrameGrid] = {}
    for moment in writer.moments:
        if moment.path in grids:
            continue
        try:
            grid = read_frame_grid(native_path(moment.path))
        except (VideoError, StoreError) as error:
            writer.done.failed[clip_title(moment)] = str(error)
            continue
        row = rows.get(moment.video_id)
        if row and row.width:  # upright
            grid = replace(grid, width=row.width, height=row.height)
        grids[moment.path] = grid
    readable = [moment for moment in writer.moments if moment.path in grids]
    if not readable:
        raise VideoError(next(iter(writer.done.failed.values())))
    return readable, grids


# -- clips


def _write_clips(rows: Mapping[str, Video], how: How, writer: _Writer) -> None:
    """Write each moment as a file of a folder; all names are checked before the first is cut."""
    from framefind.output.clips.container import clip_suffix
    from framefind.output.clips.cut import cut_clip, describe_offset
    from framefind.output.clips.encoder import check_encoder

    codec = how.get("codec")
    encoder = None if codec is None else check_encoder(codec)
    fast = how.get("fast", False)
    if fast and encoder:
        raise UsageError("`fast` copies, `codec` encodes again: choose one")
    writer.target.mkdir(parents=True, exist_ok=True)
    places = _name_clips(writer, how, lambda path: clip_suffix(path, encoder))
    for place in places:
        writer.check(place)
    for number, (moment, place) in enumerate(zip(writer.moments, places, strict=True), 1):
        title = clip_title(moment)
        how.get("on_clip", _ignore)(title, number, len(places))
        row = rows.get(moment.video_id)
        try:
            with writer.open(place) as fresh:
                cut = cut_clip(
                    native_path(moment.path),
                    moment.start,
                    moment.end,
                    fresh,
                    fast=fast,
                    codec=encoder,
                    duration=row.duration if row else None,
                )
        except (VideoError, StoreError) as error:
            writer.done.failed[title] = str(error)
            continue
        writer.done.files.append(str(place))
        if fast:
            offset = describe_offset(cut, moment.start, moment.end)
            writer.done.notes.append(f"{place.name}: {offset}")
        if cut.loss:
            writer.done.notes.append(f"{place.name}: {cut.loss}")
        if row and row.status == "partial":
            writer.done.notes.append(f"{place.name}: its video is damaged: {row.error}")


def _name_clips(writer: _Writer, how: How, suffix: Callable[[str], str]) -> list[Path]:
    names = Names(writer.target)
    width = len(str(len(writer.moments)))
    places = []
    for number, moment in enumerate(writer.moments, 1):
        values = {
            "number": f"{number:0{width}}",
            "name": Path(video_name(moment.path)).stem,
            "start": clock(moment.start).replace(":", "."),
            "end": clock(moment.end).replace(":", "."),
        }
        stem = fill_pattern(how.get("names", CLIP_NAMES), values)
        places.append(names.give(stem, suffix(moment.path)))
    return places


# -- one film


def _write_reel(rows: Mapping[str, Video], how: How, writer: _Writer) -> None:
    """Join all moments to one film; those that cannot be read are noted."""
    from framefind.output.clips.reel import SUFFIXES, Part, Reel

    target = writer.target
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(f"`out` {target}: a film's name ends in {', '.join(SUFFIXES)}")
    codec = how.get("codec")
    if how.get("fast") or codec not in (None, "h264"):
        raise UsageError("`fast` and `codec` are for clips: of a film, `codec` can be h264 alone")
    writer.check(target)
    moments, grids = _find_readable(rows, writer)
    with (
        writer.open(target) as fresh,
        Reel(fresh, [grids[moment.path] for moment in moments], is_plain=bool(codec)) as reel,
    ):
        for number, moment in enumerate(moments, 1):
            title = clip_title(moment)
            how.get("on_clip", _ignore)(title, number, len(moments))
            row = rows.get(moment.video_id)
            lines = [*_name_subject(moment, how), title] if how.get("titles") else []
            path = native_path(moment.path)
            duration = row.duration if row else None
            part = Part(path, moment.start, moment.end, grids[moment.path], duration, title, lines)
            try:
                damage = reel.add(part)
            except (VideoError, StoreError) as error:
                writer.done.failed[title] = str(error)
                continue
            if damage:
                writer.done.notes.append(f"{title}: {damage}")
        if not reel.frames:
            raise VideoError(next(iter(writer.done.failed.values())))
    writer.done.files.append(str(target))


def _name_subject(moment: Moment, how: How) -> list[str]:
    """Return what a moment is shown for as one line: its words, else the title; or none."""
    subject = " · ".join(matched_words(moment)) or how.get("title")
    return [subject] if subject else []


def _ignore(title: str, number: int, count: int) -> None:
    """Show no progress."""
