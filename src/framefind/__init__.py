"""framefind: find the moment in your videos by what is in them.

>>> import framefind
>>> library = framefind.open("trip.framefind")
>>> report = library.index("~/Videos/trip")
>>> for moment in library.search("a red car", limit=6):
...     print(moment.path, moment.start, moment.end, moment.score)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from framefind.telemetry import disable_telemetry

if TYPE_CHECKING:
    from framefind.errors import (
        FramefindError,
        LibraryError,
        ModelError,
        NotAVideoError,
        QueryError,
        StoreError,
        UsageError,
        VideoError,
    )
    from framefind.evaluation import Answer, Quality
    from framefind.files.config import Setting
    from framefind.indexing.estimate import Plan
    from framefind.library import Library, open
    from framefind.reports import Exported, Offline, Progress, Report, Status, Upkeep
    from framefind.types import (
        Crop,
        Cue,
        FrameScores,
        Match,
        Moment,
        Page,
        Query,
        Video,
        VideoMoments,
    )
    from framefind.video.shown import frame

disable_telemetry()

_HOMES = (
    "errors",
    "types",
    "reports",
    "files.config",
    "video.shown",
    "library",
    "evaluation",
    "indexing.estimate",
)
"""The modules that the public names are in; the light ones first."""

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Crop",
    "Cue",
    "Exported",
    "FrameScores",
    "FramefindError",
    "Library",
    "LibraryError",
    "Match",
    "ModelError",
    "Moment",
    "NotAVideoError",
    "Offline",
    "Page",
    "Plan",
    "Progress",
    "Quality",
    "Query",
    "QueryError",
    "Report",
    "Setting",
    "Status",
    "StoreError",
    "Upkeep",
    "UsageError",
    "Video",
    "VideoError",
    "VideoMoments",
    "frame",
    "open",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used: `import framefind` is instant."""
    for module in _HOMES if name in __all__ else ():
        value = getattr(import_module(f"framefind.{module}"), name, None)
        if value is not None:
            globals()[name] = value
            return value
    raise AttributeError(f"module 'framefind' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
