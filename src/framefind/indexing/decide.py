"""Decide: what is this file, and what shall be done with it?

The local engine, the dry run and Spark all ask here. Unchanged, touched, moved, copied and changed
files are told apart by path, size, modified time and `video_id`, so that nothing is decoded twice.
"""

import contextlib
import json
import math
import os
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from framefind.errors import StoreError
from framefind.files import disk
from framefind.files.names import native_path, stat_path, stored_path
from framefind.files.objects import is_remote
from framefind.files.presence import Absent, Presence
from framefind.index.refresh import CurrentIndex
from framefind.indexing.decisions import Pending, Probed, Settled, is_readable
from framefind.indexing.options import IndexOptions
from framefind.indexing.reading import Reading
from framefind.indexing.walk import File
from framefind.reports import Offline
from framefind.tables.rows import segment_source
from framefind.tables.tables import Tables
from framefind.types import Video
from framefind.video.facts import Facts
from framefind.words.sidecars import Sidecars, describe_sidecars

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Catalog:
    """What a library knows of files, for one run of `index`.

    Several threads may decide and note at once.
    """

    def __init__(
        self,
        videos: Iterable[Video],
        memory: Path,
        options: IndexOptions,
        lost: Collection[str] = (),
        cues: Mapping[str, int] | None = None,
    ) -> None:
        """Start from the rows of the library; `memory` is a file, a cache that may be lost.

        It remembers the facts of files that have no row of their own: copies and what is not a
        video. Videos that have `lost` frames, given by id, are decoded again. `cues` holds the
        number of cues by segment; words of segments that are not in it are read again.
        """
        self._lock = threading.RLock()
        self._lost = frozenset(lost)
        self._rows = {video.video_id: video for video in videos}
        self._owner: dict[str, str] = {}  # path -> video_id
        for video in sorted(self._rows.values(), key=lambda row: _stamp(row.indexed_at)):
            for path in (*video.copies, video.path):
                self._owner[path] = video.video_id
        self._sampler = options.sampler.name
        self._views = options.views.name
        self._retry = options.retry
        self._read = options.read
        self._sidecars = Sidecars()
        self._cues = dict(cues or {})
        self._memory_file = memory
        self._presence = Presence(memory.with_name("roots.json"), self._owner)
        self._memory: dict[str, list[int | str]] = _read(memory)
        self._seen: dict[str, tuple[int, int]] = {}  # objects that this run has listed
        self._walked: set[str] = set()  # local files that this run has come by
        self._changed: set[str] = set()
        self._begun: set[str] = set()  # videos that this run decodes

    def look_again(self) -> None:
        """List the folders of sidecars again, since files may have come."""
        self._sidecars = Sidecars()

    def settle_unopened(self, file: File) -> Settled | None:
        """Settle a file by its path, size and modified time; None if it has to be opened."""
        if file.error is not None:
            return Settled("unreachable", file, file.error)
        path = stored_path(file.path)
        now = file.size, file.modified
        if is_remote(path):
            self._seen[path] = now
        else:
            self._walked.add(path)
        remembered = self._memory.get(path)
        if remembered == [*now, ""] and not file.named:
            return Settled("not a video", file)
        row = self._rows.get(self._owner.get(path, ""))
        if row is None:
            return None
        if row.path == path:
            same = row.size == file.size and _stamp(row.modified) == file.modified
        else:
            same = remembered == [*now, row.video_id]
        if same and row.status == "failed" and not self._retry:
            return Settled("failed before", file)
        done = same and self._is_finished(row) and not self._unread(row)
        return Settled("unchanged", file) if done else None

    def decide(self, file: File, probed: Probed) -> Settled | Pending:
        """Decide what is done with a file that was opened, and note it.

        What is settled needs nothing more; the row of a pending video is noted when it has frames.
        """
        with self._lock:
            if probed.facts is not None:
                return self._decide_video(file, probed.video_id, probed.facts)
            if probed.kind == "unreachable":
                return Settled("unreachable", file, probed.error)
            if probed.kind == "failed":
                self.fail(file, probed.video_id, probed.error or "unknown")
                return Settled("failed", file, probed.error)
            if file.named:
                return Settled("failed", file, f"not a video ({probed.error})")
            self._remember(file, "")
            self._owner.pop(stored_path(file.path), None)
            return Settled("not a video", file)

    def knows(self, path: str) -> bool:
        """Return whether a video is, or was, at a path as the file system has it."""
        return stored_path(path) in self._owner

    def note(self, row: Video) -> None:
        """Note a row that is to be published, with what was found since its video was begun."""
        with self._lock:
            now = self._rows[row.video_id]
            row = replace(row, copies=now.copies)
            self._put(replace(row, cues=now.cues, cue_segments=now.cue_segments, read=now.read))

    def note_words(self, video_id: str, reading: Reading, counts: Mapping[str, int]) -> None:
        """Note what is read of a source: its segments, with the cues that this run wrote in each.

        They take the place of the source's other segments.
        """
        with self._lock:
            row = self._rows[video_id]
            other_segments = [
                name for name in row.cue_segments if segment_source(name) != reading.source
            ]
            read = [text for text in row.read if Reading.parse(text).source != reading.source]
            segments = [*other_segments, *counts]
            self._cues |= {name: cues for name, cues in counts.items() if cues}
            self._put(
                replace(
                    row,
                    cues=sum(self._cues.get(name, 0) for name in segments),
                    cue_segments=segments,
                    read=sorted([*read, str(reading)]),
                )
            )

    def fail(self, file: File, video_id: str, reason: str) -> None:
        """Note that a file cannot be indexed, unless that would hide what was stored of it.

        What was stored of a file that now has another content goes, as with any changed file; of
        one that cannot be read at the moment it stays.
        """
        path = stored_path(file.path)
        readable = is_readable(file.path)
        with self._lock:
            hidden = video_id if readable else self._owner.get(path, "")
            if hidden in self._rows and self._rows[hidden].segments:
                return
            self._owner[path] = video_id
            row = Video(
                video_id=video_id,
                path=path,
                size=file.size,
                modified=_time(file.modified),
                status="failed",
                error=reason,
                indexed_at=datetime.now(UTC),
            )
            self._put(row)

    def take_changes(self) -> list[Video]:
        """Return the rows noted since the last call."""
        with self._lock:
            changed = [self._rows[video_id] for video_id in sorted(self._changed)]
            self._changed.clear()
        return changed

    def settle(self) -> list[str]:
        """Give up copies that are gone or taken by other videos, once all files are decided.

        A video that lives on in a copy moves there, as does one whose own path is gone; the ids of
        those that are nowhere any more are returned, for removal.
        """
        rows = list(self._rows.values())
        removed = []
        gone = self._find_absent(path for row in rows if row.copies for path in row.paths).gone
        for row in rows:
            owned = [path for path in row.paths if self._owner.get(path) == row.video_id]
            remaining = [path for path in owned if path not in gone]
            if not owned:
                removed.append(row.video_id)
            elif row.copies and (remaining := remaining or owned[:1]) != row.paths:
                self._put(replace(row, path=remaining[0], copies=remaining[1:]))
        for video_id in removed:
            del self._rows[video_id]
            self._changed.discard(video_id)
        return removed

    def survey(self, folders: Iterable[str], learn: bool = True) -> tuple[list[str], list[Offline]]:
        """Return the paths of videos below some folders that are gone, and what is offline there.

        With `learn`, remembers the folders as roots of what was found in them.
        """
        named = list(folders)
        if learn:
            self._presence.learn(named, (path for path in self._walked if path in self._owner))
            self._presence.save()
        prefixes = tuple(os.path.join(folder, "") for folder in named)
        rows = [row for row in self._rows.values() if row.path.startswith(prefixes)]
        absent = self._find_absent(path for row in rows for path in row.paths)
        return sorted(row.path for row in rows if absent.has_lost(row)), absent.roots(rows)

    def save(self) -> None:
        """Write what is remembered; a cache that cannot be written is lost without harm."""
        with contextlib.suppress(OSError):
            self._memory_file.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(self._memory_file, json.dumps(self._memory).encode())

    def _decide_video(self, file: File, video_id: str, facts: Facts) -> Settled | Pending:
        """Decide about a video; the row of a known one is updated and noted."""
        path = stored_path(file.path)
        row = self._rows.get(video_id)
        if row is None:
            modified = _time(file.modified)
            new = Video(video_id=video_id, path=path, size=file.size, modified=modified)
            return self._begin(file, new, facts)
        if row.path != path and not _leads_to(row.path, path) and self._is_still_there(row):
            self._remember(file, video_id)
            self._owner[path] = video_id
            row = replace(row, copies=sorted({*row.copies, path}))
            self._put(row)
            done = self._is_finished(row) or video_id in self._begun or row.status == "failed"
            return Settled("copied", file) if done else self._begin(file, row, facts)
        kind: Literal["touched", "moved"] = "touched" if row.path == path else "moved"
        other_copies = [copy for copy in row.copies if copy != path and not _leads_to(copy, path)]
        copies = self._keep_present(other_copies)
        row = replace(row, path=path, copies=copies, modified=_time(file.modified))
        if not self._is_finished(row):
            return self._begin(file, row, facts)
        self._owner[path] = video_id
        self._put(row)
        words = self._unread(row)
        if not words:
            return Settled(kind, file)
        return Pending(file, row, math.inf, words, self._sidecar_paths(row))

    def _begin(self, file: File, row: Video, facts: Facts) -> Pending:
        """Begin a video, or go on where an earlier run stopped."""
        same = (row.sampler, row.views) == (self._sampler, self._views)
        goes_on = row.status == "indexing" and same and row.video_id not in self._lost
        start = math.nextafter(row.indexed_until, math.inf) if goes_on else -math.inf
        self._owner[row.path] = row.video_id
        self._rows[row.video_id] = row
        self._begun.add(row.video_id)
        row = replace(row, **asdict(facts) | {"duration": facts.plausible_duration(file.size)})
        row = replace(row, sampler=self._sampler, views=self._views)
        return Pending(file, row, start, self._unread(row), self._sidecar_paths(row))

    def _unread(self, row: Video) -> tuple[Reading, ...]:
        """Return which words of a video are still to be read, each from where it is until now."""
        before = {reading.source: reading for reading in map(Reading.parse, row.read)}
        lost = {segment_source(name) for name in row.cue_segments if name not in self._cues}
        unread = []
        for reading in self._read:
            previous = None if reading.source in lost else before.get(reading.source)
            if reading.source == "subtitles":
                reading = replace(reading, by=self._describe_sidecars(row, previous))
            if previous is None or previous.by != reading.by:
                unread.append(replace(reading, until=-math.inf))
            elif previous.until < math.inf:
                unread.append(previous)
        return tuple(unread)

    def _describe_sidecars(self, row: Video, previous: Reading | None) -> str:
        """Return a hash of a video's sidecars; where they cannot be listed, the `previous` one."""
        files = self._sidecars.find(native_path(row.path))
        if files is None:
            return previous.by if previous else ""
        return describe_sidecars(files)

    def _sidecar_paths(self, row: Video) -> tuple[str, ...]:
        return tuple(file.path for file in self._sidecars.find(native_path(row.path)) or ())

    def _put(self, row: Video) -> None:
        self._rows[row.video_id] = row
        self._changed.add(row.video_id)

    def _is_finished(self, row: Video) -> bool:
        done = row.status in ("indexed", "partial") and row.video_id not in self._lost
        return done and (row.sampler, row.views) == (self._sampler, self._views)

    def _is_still_there(self, row: Video) -> bool:
        """Return whether the row's own path still holds its content, not that of another video."""
        expected = row.size, _stamp(row.modified)
        try:
            now = self._seen.get(row.path) or stat_path(row.path)
        except StoreError:  # what cannot be asked for is not taken for gone
            now = expected
        if now is None and not is_remote(row.path) and self._presence.may_return(row.path):
            now = expected
        return now == expected and self._owner.get(row.path) == row.video_id

    def _keep_present(self, paths: Iterable[str]) -> list[str]:
        """Return those of some stored paths that are not gone, as far as can be told."""
        stored_paths = list(paths)
        gone = self._find_absent(stored_paths).gone
        return [path for path in stored_paths if path not in gone]

    def _find_absent(self, paths: Iterable[str]) -> Absent:
        """Find those of some stored paths where nothing is, as far as can be told."""
        unseen = [path for path in paths if path not in self._seen]
        try:
            return self._presence.find_absent(unseen)
        except StoreError:
            return self._presence.find_absent(unseen, stores=False)

    def _remember(self, file: File, video_id: str) -> None:
        self._memory[stored_path(file.path)] = [file.size, file.modified, video_id]


def _leads_to(stored: str, path: str) -> bool:
    """Return whether there is a link now at another stored path, or above, that leads to a path."""
    return not is_remote(stored) and stored_path(os.path.realpath(native_path(stored))) == path


def _read(memory: Path) -> dict[str, list[int | str]]:
    try:
        content = json.loads(memory.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _stamp(moment: datetime | None) -> int:
    return 0 if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def open_catalog(
    vector_index: CurrentIndex, tables: Tables | None, options: IndexOptions
) -> Catalog:
    """Read what a library knows of files, for one run; `tables` is None for a new library."""
    rows = tables.videos() if tables else []
    lost = _find_lost(vector_index, tables, rows) if tables else []
    folder = vector_index.folder
    cues = tables.count_cues(folder / "cues.json") if tables else {}
    return Catalog(rows, folder / "files.json", options, lost, cues)


def _find_lost(vector_index: CurrentIndex, tables: Tables, rows: Sequence[Video]) -> list[str]:
    """Return the ids of the videos that have lost frames or pictures; these are looked at again."""
    lost = vector_index.lost(tables, rows)
    return [*lost, *(vector_index.lost_pictures(rows) and vector_index.check_pictures(tables))]
