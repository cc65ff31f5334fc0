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
    from framefind.indexing.pipeline import Progress, Report
    from framefind.library import Library, open
    from framefind.search.moments import Moment, Page, VideoMoments
    from framefind.search.query_images import Crop
    from framefind.search.query_vectors import Query
    from framefind.search.search import FrameScores
    from framefind.status import Status
    from framefind.tables.rows import Video
    from framefind.video.decode import frame

disable_telemetry()

_HOMES = {
    "errors": (
        "FramefindError",
        "LibraryError",
        "ModelError",
        "NotAVideoError",
        "QueryError",
        "StoreError",
        "UsageError",
        "VideoError",
    ),
    "search.query_images": ("Crop",),
    "indexing.pipeline": ("Progress", "Report"),
    "library": ("Library", "open"),
    "search.moments": ("Moment", "Page", "VideoMoments"),
    "search.query_vectors": ("Query",),
    "search.search": ("FrameScores",),
    "status": ("Status",),
    "tables.rows": ("Video",),
    "video.decode": ("frame",),
}

__version__ = "0.1.0"
__all__ = [
    "Crop",
    "FrameScores",
    "FramefindError",
    "Library",
    "LibraryError",
    "ModelError",
    "Moment",
    "NotAVideoError",
    "Page",
    "Progress",
    "Query",
    "QueryError",
    "Report",
    "Status",
    "StoreError",
    "UsageError",
    "Video",
    "VideoError",
    "VideoMoments",
    "frame",
    "open",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first used: `import framefind` is instant."""
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"framefind.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'framefind' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
