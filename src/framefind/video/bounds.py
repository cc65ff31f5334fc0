"""Bounds on what decoding a video may take, whatever the file claims."""

from av.video.codeccontext import VideoCodecContext

from framefind.errors import VideoError
from framefind.processes import cores

MAX_PIXELS = 2**26
"""The largest picture that is decoded, in pixels: 8192 × 8192, twice an 8K film's."""

HUGE = 2**25
"""Pixels of a picture, an 8K film's, above which one decoder of a run works at a time."""

_PIXELS_IN_FLIGHT = 2**25  # of the pictures that a decoder's threads work at


def bound(path: str, context: VideoCodecContext, threads: int) -> None:
    """Set a decoder up to use so many threads (0: one per core), fewer for huge pictures.

    Each thread decodes a picture of its own. Raises VideoError for pictures that are too large.
    """
    pixels = context.width * context.height
    if pixels > MAX_PIXELS:
        raise VideoError(
            f"{path}: {context.width} × {context.height} pixels; "
            f"framefind decodes up to {MAX_PIXELS} per frame"
        )
    most = max(1, _PIXELS_IN_FLIGHT // max(1, pixels))
    context.thread_type = "AUTO"
    context.thread_count = min(threads or cores(), most)
    # As in players, the container overrules how pictures say that they are turned.
    turn = {"side_data_prefer_packet": "displaymatrix"}
    context.options = {"max_pixels": str(MAX_PIXELS), **turn}
