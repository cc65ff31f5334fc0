"""Detect that a video is cut off or damaged, from what is read of it anyway.

There are four kinds of evidence: packets that the demuxer marks as corrupt, frames that the decoder
marks as corrupt, errors that either prints, and an end that comes sooner than declared.
"""

import math
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framefind.counts import write_count
from framefind.times import clock
from framefind.video.extent import declares_length
from framefind.video.packets import length_width

_MAX_STEP_SECONDS = 10.0  # packets that lie further apart come from different recordings
_MAX_DELAY = 2  # packets between one that is marked as corrupt and the place where some are missing
_MAX_STEP_FRAMES = 1.5  # frame durations; packets further apart have lost others in between
_MAX_MISSING_SECONDS = 2.0  # by which a file may end before its declared end
_MAX_MISSING_SHARE = 0.02  # the same, as a share of the declared length
_DECLARING_FORMATS = {"matroska", "flv", "mxf", "mov", "asf", "avi", "rm", "nut"}
"""Formats that declare how long they are; the end of others is looked for by FFmpeg."""
_MAX_REST = 0.1  # share of a broadcast that may follow the last picture of its stream
_WITHOUT_TIMES = "some frames have no time, so theirs are estimated: convert it with ffmpeg"
_ZEROS = bytes(256)
_ENTROPY_CODED = {"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "wmv2", "wmv3", "vc1", "theora"}
"""Codecs whose data never has that many zeros in a row, except at the end of a packet."""
_HARMLESS_MESSAGES = re.compile(
    "Found unknown-length element|Attempted to read next track|Unsupported encoding type"
    "|Missing key frame|edit list"
    "|not enough frames to estimate|Could not find codec parameters|Estimating duration"
)
_DAMAGE_MESSAGES = re.compile(
    "error while decoding MB|Error at MB|(ac-tex|mb incr) damaged|slice mismatch"
)
"""Messages of decoders about a picture that they mark as corrupt, though not always in time: with
several threads a picture may be handed on while the last of it is still being decoded."""
_LOSSES_AS_INFO = ".asf", ".wmv"
"""Files for which FFmpeg logs missing parts of a frame as information, not as an error."""


class Watch:
    """Looks for damage in the packets and frames of one video stream, in the order they come.

    `reached` is when the last packet of any stream ends, in seconds from the start, if that is far
    before the declared end; else None. `again` opens the file once more; None where that would
    cost too much.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        again: Callable[[], InputContainer] | None,
    ) -> None:
        self._container = container
        self._stream = stream
        self._again = again
        self._noted: str | None = None
        self._damaged: float | None = None  # time of the first damaged picture
        self._heard = False  # whether the decoder has printed that the next picture is damaged
        self._shown = -math.inf  # time of the last picture
        self._over = False  # whether all packets were read
        self.reached: float | None = None
        self._base = float(stream.time_base or 1 / av.time_base)
        rate = stream.average_rate or stream.guessed_rate
        self._step = 1 / float(rate) if rate else 0.04  # seconds between two packets
        self._last: float | None = None  # time of the last packet
        self._reordered = bool(stream.codec_context.has_b_frames)
        self._untimed = False  # whether a packet without a time has come since the first keyframe
        self._start = (container.start_time or 0) / av.time_base
        codec = stream.codec_context.codec
        self._width = length_width(codec.canonical_name, stream.codec_context.extradata)
        self._dense = codec.canonical_name in _ENTROPY_CODED
        self._raw = codec.name == container.format.name  # demuxer and decoder print under one name
        self._demuxer = f"[{container.format.name} @ "  # how the lines that it prints begin
        self._decoder = f"[{codec.name} @ "
        self._level = choose_message_level(container.name)
        self._seen: str | None = None  # what is wrong with a packet; decoding it may show more
        self._packets = 0
        self._place = 0  # offset of the last packet in the file
        self._joined = False
        self._broadcast = container.format.name in ("mpegts", "mpeg")
        self._sought = False
        self._end = -math.inf  # when the last packet ends, in seconds as the file has them
        self._key: float | None = None  # time of the first keyframe decoded since the last seek
        self._doubtful: list[tuple[float, bool]] = []
        """Time of a packet marked as corrupt and of the next ones; whether it is a keyframe."""
        self.listen()

    @property
    def reason(self) -> str | None:
        """Return what is damaged, in words for people; None if no damage was seen."""
        damaged = self._shown if self._damaged is None and self._heard else self._damaged
        if self._noted or damaged is None:
            return self._noted
        if self._over and damaged == self._shown:
            return "the file ends in the middle of a frame"
        return f"damaged pictures from {_to_second(damaged)} on"

    def sought(self) -> None:
        """Note that reading goes on elsewhere in the file."""
        self._sought = True
        self._key = self._last = None
        self._heard = False
        self._doubtful = []

    def begins(self) -> None:
        """Note that another stream begins in the middle of the file."""
        self._joined = True

    def packet(self, packet: "av.Packet[VideoStream]") -> None:
        """Check the next packet of the stream."""
        self._packets += 1
        self._place = packet.pos or self._place
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            self._untimed = self._untimed or packet.is_keyframe or self._last is not None
            if self._reordered and self._last is not None:
                self._note(_WITHOUT_TIMES)
            return
        if self._untimed and self._last is None:
            self._note(_WITHOUT_TIMES)
        t = stamp * self._base
        if self._last is not None and not self._doubtful and 0 < t - self._last < _MAX_STEP_SECONDS:
            self._step = t - self._last
        self._last = t
        if packet.is_corrupt and not self._doubtful:
            self._doubtful = [(t, False)]
        elif self._doubtful:
            self._doubtful.append((t, packet.is_keyframe))
        if len(self._doubtful) > _MAX_DELAY:
            self._judge()
        if self._dense and not self._seen:
            self._seen = self._look_into(bytes(packet), t)
        shown = packet.pts if packet.pts is not None else stamp
        self._end = max(self._end, (shown + (packet.duration or 0)) * self._base)

    def frame(self, picture: av.VideoFrame, t: float) -> None:
        """Check a decoded picture, which is shown at `t` seconds."""
        if self._key is None and picture.key_frame:
            self._key = t
        self._shown = max(self._shown, t)
        damaged = (picture.is_corrupt or self._heard) and self._key is not None and t >= self._key
        if damaged and self._damaged is None:
            self._damaged = t
        self._heard = False
        self.listen()

    def listen(self) -> None:
        """Check what the demuxer and the decoder have printed since the last time."""
        if self._seen:
            self._note(self._seen)
        for line in read_messages(self._level).splitlines():
            speaker, _, words = line.partition("] ")
            if speaker.startswith(self._decoder) and _DAMAGE_MESSAGES.search(words):
                self._heard = self._key is not None  # about the next picture, or the last one
            elif speaker.startswith(self._demuxer) and not (
                self._raw or _HARMLESS_MESSAGES.search(words)
            ):
                self._note(f"damaged data in the file ({words.strip().rstrip('.')})")

    def ended(self, wrong_end: str | None) -> None:
        """Compare what was read until the end of the file with what the file declares.

        `wrong_end` says what is wrong with the end of the file, if anything is.
        """
        self._over = True
        size = self._container.size
        has_others = self._joined or len(self._container.streams.video) > 1
        if self._broadcast and has_others and size - self._place > _MAX_REST * size:
            self._note("it goes on in another stream: convert it with ffmpeg")
        if wrong_end:
            self._note(wrong_end)
        self.listen()
        if self._doubtful:
            self._judge()
        stream = self._stream
        formats = set(self._container.format.name.split(","))
        if "avi" in formats:  # it was read as a whole list when the file was opened
            self._compare_packets(sum(entry.size > 0 for entry in stream.index_entries))
        elif "mxf" in formats and stream.duration and stream.average_rate:
            self._compare_packets(round(stream.duration * self._base * stream.average_rate))
        if not declares_length(stream):
            return
        if "mov" in formats and stream.frames:  # it lists its packets; what is there was read
            self._reach((stream.duration or 0) * self._base)
        elif _DECLARING_FORMATS & formats:
            declared = (self._container.duration or 0) / av.time_base
            self._reach(declared)
            if self.reached is not None:
                self._note(f"it ends at {_to_second(self.reached)} of {_to_second(declared)}")

    def _note(self, reason: str) -> None:
        self._noted = self._noted or reason

    def _look_into(self, data: bytes, t: float) -> str | None:
        """Return what is wrong with the data of a packet, as far as that shows without decoding."""
        if is_hollow(data):
            return f"zeros in place of data at {_to_second(t - self._start)}"
        if self._width and not is_filled(data, self._width):
            return f"damaged data at {_to_second(t - self._start)}"
        return None

    def _judge(self) -> None:
        """Distinguish missing packets from the start of another recording.

        The counters of a transport stream jump at both, and a packet shortly before is marked.
        """
        steps = [after - t for (t, _), (after, _) in pairwise(self._doubtful)]
        lost = any(_MAX_STEP_FRAMES * self._step < step < _MAX_STEP_SECONDS for step in steps)
        begins = any(is_keyframe for _, is_keyframe in self._doubtful)
        if lost or not begins:
            self._note(f"packets are missing at {_to_second(self._doubtful[0][0] - self._start)}")
        self._doubtful = []

    def _compare_packets(self, listed: int) -> None:
        if not self._sought and self._packets < listed:
            missing = write_count(listed - self._packets, "frame")
            self._note(f"{missing} of {listed} missing")

    def _reach(self, declared: float) -> None:
        """Note where the file ends, if that is far before the end that is declared."""
        allowed = max(_MAX_MISSING_SECONDS, _MAX_MISSING_SHARE * declared)
        declared += min(0.0, self._start)  # a length counts from a start before zero
        if self._end > -math.inf and declared - self._end > allowed:
            end = max(self._end, self._last_of_all())
            if declared - end > allowed:
                self.reached = max(0.0, end - self._start)

    def _last_of_all(self) -> float:
        """Return when the last packet of any stream ends, in the file's seconds."""
        last = -math.inf
        if self._again is None:
            return -math.inf if len(self._container.streams) == 1 else math.inf
        with self._again() as beside, suppress(av.FFmpegError, ValueError, IndexError):
            beside.seek(math.floor(max(self._end - 1, 0) * av.time_base))
            for packet in beside.demux():
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is not None and packet.time_base:
                    last = max(last, float((stamp + (packet.duration or 0)) * packet.time_base))
        return last


def is_filled(data: bytes, width: int) -> bool:
    """Return whether NAL units, each after its length in bytes, fill a packet of H.264 or HEVC."""
    place = 0
    size = len(data)
    while place + width <= size:
        place += width + int.from_bytes(data[place : place + width], "big")
    return place <= size


def is_hollow(data: bytes) -> bool:
    """Return whether there are many zeros in a row before the end of a packet's data."""
    at = data.find(_ZEROS)
    return at >= 0 and bool(data[at:].strip(b"\0"))


def _to_second(seconds: float) -> str:
    """Return a time for people, without fractions."""
    return clock(round(max(0.0, seconds)))


# -- what FFmpeg prints

_MAX_MESSAGE_BYTES = 2**16  # of messages, read in one go
_messages: int | None = None  # descriptor that they are read from, if captured


def capture_messages() -> None:
    """Keep what FFmpeg prints from now on for `read_messages`, instead of letting it reach stderr.

    For a process that decodes one video at a time. PyAV can pass messages on, too, but takes the
    interpreter's lock for each, while another thread that holds it may be waiting for the decoder.
    """
    global _messages
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)  # messages that nobody reads are dropped
    os.dup2(writing, sys.stderr.fileno() if sys.stderr else 2)
    _messages = reading


def choose_message_level(path: str) -> int:
    """Return the level from which on messages about a file matter."""
    return av.logging.INFO if path.lower().endswith(_LOSSES_AS_INFO) else av.logging.ERROR


def read_messages(level: int = av.logging.ERROR) -> str:
    """Return what FFmpeg has printed since the last call; nothing if it is not captured.

    From now on it prints messages of that level or worse.
    """
    if _messages is None:
        return ""
    av.logging.set_libav_level(level)
    av.logging.restore_default_callback()  # setting PyAV's log level replaces it
    with suppress(BlockingIOError):
        return os.read(_messages, _MAX_MESSAGE_BYTES).decode(errors="replace")
    return ""
