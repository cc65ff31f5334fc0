"""What the verbs of a library report: plain data."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Offline:
    """A folder that cannot be looked at, why, and how many videos are out of sight with it."""

    root: str
    reason: str
    videos: int = 0


@dataclass
class Report:
    """What a run of `index` did. Paths are as stored; reasons are for people."""

    indexed: list[str] = field(default_factory=list)
    partial: dict[str, str] = field(default_factory=dict)  # indexed, but for what is said
    failed: dict[str, str] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)  # only words were read of them
    unread: dict[str, str] = field(default_factory=dict)  # words that could not be read
    notes: list[str] = field(default_factory=list)  # what no video could be read for, and why
    missing: list[str] = field(default_factory=list)
    offline: list[Offline] = field(default_factory=list)  # folders that cannot be looked at
    unchanged: int = 0
    failed_before: int = 0  # unchanged since they failed; not tried again
    passed_over: int = 0  # not videos
    frames: int = 0
    cues: int = 0
    video_seconds: float = 0.0
    seconds: float = 0.0
    profile: dict[str, float] = field(default_factory=dict)
    """Seconds of processor time by stage; `wait` is what all cores together did nothing."""
    fallback: str | None = None  # why the processor decodes what another decoder should have

    def counts(self) -> dict[str, int]:
        """Return how many videos were indexed, read, unchanged and so on, without zeros."""
        counts = {
            "indexed": len(self.indexed),
            "read": len(self.read),
            "unchanged": self.unchanged,
            "moved": len(self.moved),
            "copied": len(self.copied),
            "partial": len(self.partial),
            "failed": len(self.failed),
            "failed before": self.failed_before,
            "missing": len(self.missing),
            "offline": sum(folder.videos for folder in self.offline),
        }
        return {outcome: count for outcome, count in counts.items() if count}

    def joined(self, other: "Report") -> "Report":
        """Return both reports as one."""
        joined: dict[str, Any] = {}
        for name, value in vars(self).items():
            more = getattr(other, name)
            if name == "profile":
                joined[name] = dict(Counter(value) + Counter(more))
            elif name == "fallback":
                joined[name] = value or more
            else:
                joined[name] = value | more if isinstance(value, dict) else value + more
        return Report(**joined)


@dataclass(frozen=True)
class Progress:
    """How far a run of `index` is; `left` is None until it can be told. Times in seconds."""

    done: int
    total: int
    frames: int
    video_seconds: float
    seconds: float
    left: float | None
    path: str
    trouble: str | None = None  # a video that has just failed, or the part of it that has


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Exported:
    """What `export` wrote: paths of files; what failed, by moment, and what is not exact."""

    files: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Status:
    """A library in numbers: videos per status, frames that count, hours of video, bytes on disk."""

    library: str
    model: str
    videos: dict[str, int]
    frames: int
    hours: float
    size: int
    index_fresh: bool
    cues: int = 0
    offline: list[Offline] = field(default_factory=list)
    lost: int = 0
    """Videos that have lost frames: those are in no data file any more."""
    lost_words: int = 0
    lost_pictures: int = 0
    """Videos of which it was noticed that thumbnails are lost or damaged."""


@dataclass(frozen=True)
class Upkeep:
    """What `maintain` did: data files rewritten and written, rows dropped, files deleted."""

    rewritten: int = 0
    written: int = 0
    dropped: int = 0
    deleted: int = 0
    unreadable: int = 0  # data files, which the log names
