"""The geometry of a decoded picture: what is cropped, stretched, rotated and mirrored.

PyAV exposes little of that. It has no name for some side data, and then returns none at all; it
exposes neither a frame's sample aspect ratio, which may change inside a file, nor what a container
crops. FFmpeg's own filters and muxers do.
"""

import io
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.format import VideoFormat
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from framefind.video import colour

_MAX_SIDE_DATA_TYPES = 64  # AVFrameSideDataType has 31 values in FFmpeg 8
_ASPECT_STEPS = 4000  # in which a sample aspect ratio of 1 is measured
_MAX_DENOMINATOR = 60  # of a ratio that these steps identify exactly
_MAX_ASPECT = 16  # of a pixel; a longer one is a mistake in the file


class Orientation(NamedTuple):
    """How to show a picture: swap its axes, then mirror it left-right, then flip it top-bottom.

    `stretch` is the width of a stored pixel over its height, where the display matrix contains it
    and FFmpeg gets it wrong; else None.
    """

    turned: bool
    mirrored: bool
    flipped: bool
    stretch: Fraction | None


class Shape(NamedTuple):
    """The orientation of a picture, and the width of a stored pixel over its height."""

    orientation: Orientation
    aspect: Fraction


class Margins(NamedTuple):
    """How many pixels a container cuts from each side of the decoded pictures."""

    left: int
    top: int
    right: int
    bottom: int


class Geometry:
    """Finds the shapes of the pictures of one stream, and crops them. Not for several threads."""

    def __init__(self, stream: VideoStream | None = None) -> None:
        """Without a stream, only the pictures count. To be created before decoding begins."""
        self._aspect = stream.sample_aspect_ratio if stream else None
        codec = stream.codec_context.sample_aspect_ratio if stream else None
        self._overrules = self._aspect != codec
        """Whether the container declares another aspect ratio than the pictures; it wins."""
        self._margins = read_container_margins(stream) if stream else None
        self._tiny = VideoReformatter()
        self._facts: Graph | None = None
        self._croppers: dict[tuple[int, int, str], Graph] = {}

    def shape(self, picture: av.VideoFrame) -> Shape:
        """Return the orientation of a picture and the shape of its pixels."""
        self._facts = self._facts or _facts_graph()
        # A copy of a few pixels keeps side data and aspect ratio, and costs nothing.
        self._facts.vpush(
            self._tiny.reformat(
                picture,
                2,
                2,
                "gray",
                src_colorspace=colour.choose_matrix(picture),
                interpolation=Interpolation.POINT,
                threads=1,
            )
        )
        facts = self._facts.vpull()
        try:
            # `facts.side_data` would form a reference cycle with the picture, and outlive it.
            side_data = SideDataContainer(facts)  # type: ignore[call-arg]
            matrix = bytes(side_data["DISPLAYMATRIX"])
            orientation = read_orientation(np.frombuffer(matrix, np.int32).tolist())
        except KeyError:
            orientation = Orientation(False, False, False, None)
        aspect = orientation.stretch or self._own_aspect(Fraction(facts.width, _ASPECT_STEPS))
        if not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
            aspect = Fraction(1)
        return Shape(orientation, aspect)

    def _own_aspect(self, rounded: Fraction) -> Fraction:
        """Return the exact aspect ratio of a picture whose measured one is `rounded`."""
        declared = self._aspect
        if declared and (self._overrules or abs(declared - rounded) <= Fraction(1, _ASPECT_STEPS)):
            return declared
        return rounded.limit_denominator(_MAX_DENOMINATOR)

    def crop(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return the part of a picture that the container shows; the pixels are not copied."""
        if self._margins is None:
            return picture
        if picture.sw_format:  # it is in the memory of a graphics card
            picture = picture.reformat(format=picture.sw_format.name)
        left, top, right, bottom = self._margins
        # FFmpeg cannot start in the middle of a chroma pixel: a column more is cropped then.
        left += -left % (4 // picture.format.chroma_width(4))
        width, height = picture.width - left - right, picture.height - top - bottom
        if width < 1 or height < 1:
            return picture
        key = (picture.width, picture.height, picture.format.name)
        if key not in self._croppers:
            crop = f"{width}:{height}:{left}:{top}:exact=1"
            self._croppers[key] = _graph(*key, [("crop", crop)])
        graph = self._croppers[key]
        graph.vpush(picture)
        return graph.vpull()


def read_orientation(matrix: list[int]) -> Orientation:
    """Read a display matrix as the nearest of the eight orientations of a rectangle."""
    # x is shown at a·x + c·y, y at b·x + d·y.
    a, b, _, c, d, *_ = matrix
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0, None)
    stretch = Fraction(abs(b), abs(c)) if b and c else Fraction(1)
    uneven = abs(stretch - 1) > Fraction(1, 100)  # FFmpeg divides the other way round
    return Orientation(True, c < 0, b < 0, stretch if uneven else None)


def read_container_margins(stream: VideoStream) -> Margins | None:
    """Return what the container of a stream crops: Matroska's PixelCrop, MP4's clean aperture.

    FFmpeg keeps it with the stream, where PyAV does not expose it; a Matroska header that is
    written for the stream contains it.
    """
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="matroska") as container:
            container.add_stream_from_template(stream)
            container.start_encoding()
    except (av.FFmpegError, ValueError):  # a codec that Matroska cannot hold
        return None
    sides = _pixel_margins(file.getvalue())
    return sides if any(sides) else None


# -- Matroska (RFC 9559): elements of an id, a size and a content

_MASTERS = {0x18538067: "Segment", 0x1654AE6B: "Tracks", 0xAE: "TrackEntry", 0xE0: "Video"}
_PIXEL_CROP = {0x54CC: 0, 0x54BB: 1, 0x54DD: 2, 0x54AA: 3}  # by their place in Margins


def _pixel_margins(header: bytes) -> Margins:
    """Return the PixelCrop elements of the first track of a Matroska header."""
    sides = [0, 0, 0, 0]
    at = 0
    while at < len(header):
        ident, at = _number(header, at, keep_marker=True)
        size, at = _number(header, at)
        if ident in _PIXEL_CROP:
            sides[_PIXEL_CROP[ident]] = int.from_bytes(header[at : at + size], "big")
        if ident not in _MASTERS:
            at += size
    return Margins(*sides)


def _number(data: bytes, at: int, keep_marker: bool = False) -> tuple[int, int]:
    """Return a number of variable length and where it ends; its first 1 bit gives the length."""
    length = 9 - data[at].bit_length()
    number = int.from_bytes(data[at : at + length], "big")
    return number if keep_marker else number & ~(1 << 7 * length), at + length


# -- filters


def _facts_graph() -> Graph:
    """Return a graph that scales a grey picture of 2 × 2 pixels to a width of its aspect ratio.

    It deletes the side data that PyAV has no name for.
    """
    nameless = {*range(_MAX_SIDE_DATA_TYPES)}.difference(int(str(kind.value)) for kind in Type)
    deletions = [("sidedata", f"mode=delete:type={kind}") for kind in sorted(nameless)]
    width = f"clip(round(sar*{_ASPECT_STEPS})\\,1\\,{(_MAX_ASPECT + 1) * _ASPECT_STEPS})"
    return _graph(2, 2, "gray", [*deletions, ("scale", f"w={width}:h=1:eval=frame:flags=neighbor")])


def _graph(width: int, height: int, layout: str, filters: list[tuple[str, str]]) -> Graph:
    """Return a graph of filters, each a name and its arguments, for pictures of that format."""
    graph = Graph()
    graph.threads = 1
    # The time base does not matter: timestamps pass through unchanged.
    source = graph.add_buffer(
        width=width, height=height, format=VideoFormat(layout), time_base=Fraction(1, 1000)
    )
    graph.link_nodes(source, *(graph.add(*step) for step in filters), graph.add("buffersink"))
    graph.configure()
    return graph
