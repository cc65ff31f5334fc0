"""The catalog: which file is which video, and what has to be done about it.

Tells unchanged, touched, moved, copied and changed files apart by path, size, modified time and
`video_id`, so that nothing is decoded twice.
"""

import contextlib
import json
import math
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from framefind.errors import StoreError
from framefind.files import disk
from framefind.files.names import stat_path, stored_path
from framefind.files.objects import find_object, is_remote
from framefind.files.presence import Absent, Presence
from framefind.indexing.walk import File
from framefind.types import Offline, Video

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Verdict = Literal["decode", "unchanged", "failed", "passed over"]


@dataclass(frozen=True)
class Claim:
    """What became of a file whose `video_id` is known.

    `decode` with the time to `start` from and the `row` to go on with; `touched`, `moved` and
    `copied` need no decoding.
    """

    what: Literal["decode", "touched", "moved", "copied"]
    row: Video
    start: float = -math.inf


class Catalog:
    """What a library knows of files, for one run of `index`. Not thread-safe."""

    def __init__(
        self,
        videos: Iterable[Video],
        memory: Path,
        sampler: str,
        views: str,
        retry: bool = False,
        lost: Collection[str] = (),
    ) -> None:
        """Start from the rows of the library; `memory` is a file, a cache that may be lost.

        It remembers the facts of files that have no row of their own: copies and what is not a
        video. Videos that have `lost` frames, given by id, are decoded again.
        """
        self._lost = frozenset(lost)
        self._rows = {video.video_id: video for video in videos}
        self._owner: dict[str, str] = {}  # path -> video_id
        for video in sorted(self._rows.values(), key=lambda row: _stamp(row.indexed_at)):
            for path in (*video.copies, video.path):
                self._owner[path] = video.video_id
        self._sampler, self._views, self._retry = sampler, views, retry
        self._memory_file = memory
        self._presence = Presence(memory.with_name("roots.json"), self._owner)
        self._memory: dict[str, list[int | str]] = _read(memory)
        self._seen: dict[str, tuple[int, int]] = {}  # objects that this run has listed
        self._walked: set[str] = set()  # local files that this run has come by
        self._changed: set[str] = set()
        self._begun: set[str] = set()  # videos that this run decodes

    def look(self, file: File) -> Verdict:
        """Whether a file has to be opened at all, told from its path, size and modified time."""
        path = stored_path(file.path)
        now = file.size, file.modified
        if is_remote(path):
            self._seen[path] = now
        else:
            self._walked.add(path)
        remembered = self._memory.get(path)
        if remembered == [*now, ""] and not file.named:
            return "passed over"
        row = self._rows.get(self._owner.get(path, ""))
        if row is None:
            return "decode"
        if row.path == path:
            same = row.size == file.size and _stamp(row.modified) == file.modified
        else:
            same = remembered == [*now, row.video_id]
        if same and row.status == "failed":
            return "decode" if self._retry else "failed"
        return "unchanged" if same and self._finished(row) else "decode"

    def knows(self, path: str) -> bool:
        """Whether a video is, or was, at a path as the file system has it."""
        return stored_path(path) in self._owner

    def claim(self, file: File, video_id: str) -> Claim:
        """Decide about an opened file; the row of a known video is updated at once."""
        path = stored_path(file.path)
        row = self._rows.get(video_id)
        if row is None:
            fresh = Video(
                video_id=video_id, path=path, size=file.size, modified=_time(file.modified)
            )
            return self._decode(fresh, file)
        if row.path == path:
            what: Literal["touched", "moved", "copied"] = "touched"
        elif self._is_still_there(row):
            self._remember(file, video_id)
            self._own(path, video_id)
            row = replace(row, copies=sorted({*row.copies, path}))
            self.put(row)
            done = self._finished(row) or video_id in self._begun or row.status == "failed"
            return Claim("copied", row) if done else self._decode(row, file)
        else:
            what = "moved"
        copies = self._left(copy for copy in row.copies if copy != path)
        row = replace(row, path=path, copies=copies, modified=_time(file.modified))
        if row.status == "failed" or not self._finished(row):
            return self._decode(row, file)
        self._own(path, video_id)
        self.put(row)
        return Claim(what, row)

    def put(self, row: Video) -> None:
        """Note a row that is to be published."""
        self._rows[row.video_id] = row
        self._changed.add(row.video_id)

    def fail(self, file: File, video_id: str, reason: str) -> None:
        """Note that a file cannot be indexed, unless that would hide what was stored of it.

        What was stored of a file that now has another content goes, as with any changed file; of
        one that cannot be read at the moment it stays.
        """
        path = stored_path(file.path)
        hidden = video_id if _is_readable(file.path) else self._owner.get(path, "")
        if hidden in self._rows and self._rows[hidden].segments:
            return
        self._own(path, video_id)
        row = Video(video_id=video_id, path=path, size=file.size, modified=_time(file.modified))
        self.put(replace(row, status="failed", error=reason, indexed_at=datetime.now(UTC)))

    def pass_over(self, file: File) -> None:
        """Remember that a file is not a video, or none any more, so that it is not opened again."""
        self._remember(file, "")
        self._owner.pop(stored_path(file.path), None)

    def take_changes(self) -> list[Video]:
        """The rows noted since the last call."""
        changed = [self._rows[video_id] for video_id in sorted(self._changed)]
        self._changed.clear()
        return changed

    def row(self, video_id: str) -> Video:
        """The newest row of a video, published or not."""
        return self._rows[video_id]

    def settle(self) -> list[str]:
        """Give up copies that are gone or taken by other videos, once all files are claimed.

        A video that lives on in a copy moves there, as does one whose own path is gone; the ids of
        those that are nowhere any more are returned, for removal.
        """
        rows, removed = list(self._rows.values()), []
        gone = self._absent(path for row in rows if row.copies for path in row.paths).gone
        for row in rows:
            owned = [path for path in row.paths if self._owner.get(path) == row.video_id]
            left = [path for path in owned if path not in gone]
            if not owned:
                removed.append(row.video_id)
            elif row.copies and (left := left or owned[:1]) != row.paths:
                self.put(replace(row, path=left[0], copies=left[1:]))
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
        absent = self._absent(path for row in rows for path in row.paths)
        return sorted(row.path for row in rows if absent.has_lost(row)), absent.roots(rows)

    def save(self) -> None:
        """Write what is remembered; a cache that cannot be written is lost without harm."""
        with contextlib.suppress(OSError):
            self._memory_file.parent.mkdir(parents=True, exist_ok=True)
            disk.replace(self._memory_file, json.dumps(self._memory).encode())

    def _decode(self, row: Video, file: File) -> Claim:
        """Begin a video, or go on where an earlier run stopped."""
        same = (row.sampler, row.views) == (self._sampler, self._views)
        goes_on = row.status == "indexing" and same and row.video_id not in self._lost
        self._own(row.path, row.video_id)
        self._rows[row.video_id] = row
        self._begun.add(row.video_id)
        start = math.nextafter(row.indexed_until, math.inf) if goes_on else -math.inf
        return Claim("decode", row, start)

    def _finished(self, row: Video) -> bool:
        done = row.status in ("indexed", "partial") and row.video_id not in self._lost
        return done and (row.sampler, row.views) == (self._sampler, self._views)

    def _is_still_there(self, row: Video) -> bool:
        """Whether the row's own path still holds its content, not that of another video."""
        known = row.size, _stamp(row.modified)
        try:
            now = self._seen.get(row.path) or stat_path(row.path)
        except StoreError:  # what cannot be asked for is not taken for gone
            now = known
        if now is None and not is_remote(row.path) and self._presence.may_return(row.path):
            now = known
        return now == known and self._owner.get(row.path) == row.video_id

    def _left(self, paths: Iterable[str]) -> list[str]:
        """Those of some stored paths that are not gone, in their order, as far as is known."""
        asked = list(paths)
        gone = self._absent(asked).gone
        return [path for path in asked if path not in gone]

    def _absent(self, paths: Iterable[str]) -> Absent:
        """Those of some stored paths where nothing is, as far as is known."""
        unseen = [path for path in paths if path not in self._seen]
        try:
            return self._presence.find_absent(unseen)
        except StoreError:
            return self._presence.find_absent(unseen, stores=False)

    def _own(self, path: str, video_id: str) -> None:
        self._owner[path] = video_id

    def _remember(self, file: File, video_id: str) -> None:
        self._memory[stored_path(file.path)] = [file.size, file.modified, video_id]


def _is_readable(path: str) -> bool:
    """Whether a file can be read at the moment."""
    if not is_remote(path):
        return os.access(path, os.R_OK)
    try:
        return find_object(path) is not None
    except StoreError:
        return False


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
