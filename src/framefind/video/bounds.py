"""Limits on the memory that decoding a video takes, whatever the file claims."""

from av.video.codeccontext import VideoCodecContext

from framefind.errors import VideoError
from framefind.processes import cores

MAX_PIXELS = 2**26
"""Pixels of the largest picture that is decoded: 8192 × 8192, twice an 8K film's."""

MAX_SHARED_PIXELS = 2**25
"""Pixels of an 8K film's picture. Larger ones are decoded by one decoder of a run at a time."""

_MAX_PIXELS_IN_FLIGHT = 2**25  # of all pictures that the threads of a decoder work at


def limit_decoder(path: str, context: VideoCodecContext, threads: int) -> None:
    """Set a decoder up to use `threads` (0: one per core), or fewer for huge pictures.

    Each thread decodes a picture of its own. Raises VideoError for pictures that are too large.
    """
    pixels = context.width * context.height
    if pixels > MAX_PIXELS:
        raise VideoError(
            f"{path}: {context.width} × {context.height} pixels; "
            f"framefind decodes up to {MAX_PIXELS} per frame"
        )
    max_threads = max(1, _MAX_PIXELS_IN_FLIGHT // max(1, pixels))
    context.thread_type = "AUTO"
    context.thread_count = min(threads or cores(), max_threads)
    # As in players, the container's display matrix overrules that of the pictures.
    rotation = {"side_data_prefer_packet": "displaymatrix"}
    context.options = {"max_pixels": str(MAX_PIXELS), **rotation}
