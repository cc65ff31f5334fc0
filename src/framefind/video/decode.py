"""Probe and decode one video: its facts, and sampled frames with exact times.

A frame's time is its presentation timestamp less the container's start, in seconds: what players
and subtitles count from. Pictures are upright: rotated, mirrored and stretched as the file asks.
"""

import math
import os
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice, takewhile

import av
import numpy as np
from av.container import InputContainer
from av.stream import Discard
from av.video.stream import VideoStream
from numpy.typing import NDArray

from framefind.errors import NotAVideoError, VideoError
from framefind.files.objects import canonical, is_remote
from framefind.video import clock, samplers
from framefind.video.bounds import bound
from framefind.video.bucket_file import listed_keyframes, listed_packets, spaced_keyframes
from framefind.video.damage import Watch, heard, message_level
from framefind.video.extent import missing_bytes
from framefind.video.facts import Facts
from framefind.video.frame import Frame, Scaler, sorted_times
from framefind.video.geometry import Geometry
from framefind.video.open import (
    best_stream,
    file_size,
    hardware,
    is_seekable,
    is_still_format,
    open_container,
    read_on,
    reason,
    remote_file,
    size_change,
)
from framefind.video.packets import Stream, Wish, begins_anew, from_keyframe, needed
from framefind.video.samplers import Sampler

_LEADS = 1.0, 10.0  # seconds before a start to read from; keyframes are listed as decoded
_FAR = 60.0  # seconds before the wanted time that a seek may land


class Video:
    """An opened video. A context manager; iterate `frames`, then look at `partial`.

    `threads` are the decoder's (0: as many as there are cores). `alive` is called now and then
    while packets are read. `decoder` is `auto`, `cpu` or a device of PyAV's such as `cuda`; where
    that cannot decode this video, the processor does, and `fallback` says why. `length` is the
    video's in seconds, where it is known: if the file declares another one, its clock breaks.
    Raises NotAVideoError for a file without video, VideoError for one that cannot be decoded.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        threads: int = 0,
        alive: Callable[[], None] | None = None,
        decoder: str = "auto",
        length: float | None = None,
    ) -> None:
        self.fallback: str | None = None
        self._hardware = hardware(decoder)
        self.path = canonical(os.fspath(path))
        self.partial: str | None = None
        self._threads = threads
        self._alive = alive or (lambda: None)
        self.remote = remote_file(self.path) if is_remote(self.path) else None
        """The file, where it is read from an object store."""
        self._bytes = self.remote.size if self.remote else file_size(self.path)
        self._wish: Wish | None = None
        self._found: float | None = None  # seconds until the end, in a whole pass
        self._short: float | None = None  # the same, in any pass, if far more are declared
        self._broken = False  # whether the clock was found to break
        self._open()
        try:
            self._begun: Iterator[Frame] = self._pictures()
            self._first = next(self._begun, None)
            if self._first is None:
                raise VideoError(f"{self.path}: {self.partial or 'it holds no frame'}")
            if self._is_still():
                raise NotAVideoError(f"{self.path}: a still picture")
            self.facts = Facts.of(self._container, self._stream, self._first, self._beside)
            broken = clock.is_broken(self.facts.duration, length)
            named = {"mov", "matroska"} & set(self._container.format.name.split(","))
            self._sure = not (broken or named or self._timing.counted)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and free the decoder with its threads."""
        self._first, self._begun = None, iter(())  # the latter would keep this, and this it, alive
        self._container.close()
        for each in ("_stream", "_watch"):
            vars(self).pop(each, None)

    @property
    def duration(self) -> float | None:
        """Seconds from the container's start to the end, as far as they are known by now.

        As declared; as a pass to the end finds it where the clock breaks or the end lies elsewhere.
        """
        declared = None if self._clock.carried or self._broken else self.facts.duration
        return clock.whole_length(declared, self._found, self._short)

    def frames(
        self, sampler: Sampler, start: float = 0.0, end: float = math.inf
    ) -> Iterator[Frame]:
        """The frames that `sampler` chooses, in order, from `start` until before `end`, in seconds.

        They are those that a whole pass gives there. When it has ended, `partial` says why some of
        the video could not be decoded, or is None.
        """
        empty = True
        for frame in self._chosen(sampler, start, end):
            if frame.t >= end:
                break
            if frame.t >= start:
                empty = False
                yield frame
        if empty and end == math.inf:
            self._wish = None
            yield from (frame for frame in islice(self._restarted(), 1) if frame.t >= start)
        self._watch.listen()
        self.partial = self.partial or self._watch.reason
        if change := size_change(self.path, self._bytes):
            self._fail(change)

    def play(self, start: float = 0.0) -> Iterator[Frame]:
        """All frames from the one that is shown at `start` on, for a player.

        Where a seek does not tell exactly where it lands, times after it may be a little off.
        """
        self._wish = None
        if start > 0 and not self._seekable and self._sure:
            frames = self._sought(max(0.0, start - 1.0))
            first = next(frames, None)
            near = first is not None and start - _FAR < first.t <= start
            found = chain([first], frames) if first and near else self._again()
        elif start > 0 and not self._seekable:
            self._reopen()
            self._skip = start
            found = self._pictures()
        else:
            found = self._from(start, 1)
        shown: Frame | None = None
        for frame in found:
            if shown is not None and frame.t > start:
                yield shown
            shown = frame
        if shown is not None:
            yield shown

    def _chosen(self, sampler: Sampler, start: float, end: float) -> Iterator[Frame]:
        if sampler.kind == "shots":
            self._wish = None
            return samplers.shots(self._from(start, samplers.WINDOW + 1), self.end)
        if sampler.kind == "count":
            return self._at(sampler, start)
        return self._pass(Wish(sampler, start if start > 0 else -math.inf, end))

    def cuts(self, length: float) -> list[float]:
        """Times in seconds that cut the video into parts of about that length, to decode apart.

        They lie at keyframes. Empty where the file lists none, or is not trusted to be read from
        the middle.
        """
        if not self.facts.duration or not self._seekable or not self._timing.timed:
            return []
        if "matroska" in self._container.format.name:  # it has to be sought in
            self._first = None
        listed = listed_packets(self._container, self._stream)
        count = math.ceil(self.facts.duration / length - 0.5)
        start, step = self._timing.timestamp(0.0), length / self._timing.base
        return [self._timing.seconds(at) for at in spaced_keyframes(listed, start, step, count)]

    # -- opening

    def _open(self) -> None:
        heard(message_level(self.path))
        self._container = self._opened()
        try:
            self._stream = best_stream(self.path, self._container)
            context = self._stream.codec_context
            bound(self.path, context, self._threads)
            for stream in self._container.streams:
                if stream.index != self._stream.index:
                    stream.discard = Discard.all
            self._seekable = is_seekable(self.path, self._container, self._stream)
            self._scaler = Scaler(Geometry(self._stream))
            self._timing = clock.Timing(self._container, self._stream)
            again = None if self.remote else partial(open_container, self.path, self._bytes)
            self._watch = Watch(self._container, self._stream, again)
            self._landed, self._skip = False, 0.0
            if self.remote:
                self.remote.hollow(self._container, self._stream)
        except BaseException:
            self._container.close()
            raise

    def _opened(self) -> InputContainer:
        """The container, to be decoded by the hardware if there is some that can."""
        if self._hardware:
            try:
                return open_container(self.path, self._bytes, self._hardware, self.remote)
            except Exception as error:  # PyAV raises this and that
                self.fallback, self._hardware = reason(error), None
        return open_container(self.path, self._bytes, file=self.remote)

    def _beside(self) -> InputContainer:
        """The file once more, beside the one that is read."""
        file = self.remote.again() if self.remote else None
        return open_container(self.path, self._bytes, file=file)

    def _is_still(self) -> bool:
        if not is_still_format(self._container):
            return False
        second = next(self._begun, None)
        if second is not None:
            self._begun = chain([second], self._begun)
        return second is None

    # -- decoding

    def _restarted(self) -> Iterator[Frame]:
        """All frames from the beginning; goes on from the first one if nothing else was read."""
        if self._first is not None:
            first, self._first = self._first, None
            return chain([first], self._begun)
        return self._again()

    def _again(self) -> Iterator[Frame]:
        self._reopen()
        return self._pictures()

    def _reopen(self) -> None:
        self.close()
        self.partial = None
        self._open()

    def _pass(self, wish: Wish) -> Iterator[Frame]:
        """The frames of `every` and `keyframes`."""
        frames = (frame for frame in self._wished(wish) if frame.t >= wish.start)
        if wish.sampler.kind == "keyframes":
            return frames
        first = next(frames, None)  # by then, what came before it is known
        if first is None:
            return iter(())
        interval = wish.sampler.interval

        def stands(last: Frame) -> bool:
            if last.t < wish.last:  # it is not decoded, since it does not
                return False
            if wish.after < math.inf:
                return samplers.slot(wish.after, interval) > samplers.slot(last.t, interval) + 1
            damage = self.partial or self._watch.reason
            return not damage and self.end(last) - last.t > interval

        shown = takewhile(lambda frame: frame.t < wish.end, chain([first], frames))
        return samplers.every(shown, interval, wish.before, stands)

    def _wished(self, wish: Wish) -> Iterator[Frame]:
        self._wish = wish
        for lead in _LEADS if wish.start > 0 and self._seekable else ():
            frames = self._sought(max(0.0, wish.start - lead))
            first = next(frames, None)
            if wish.led:
                return chain([] if first is None else [first], frames)
        if self._keys_only:
            self._first = None  # it need not be one
        return self._restarted()

    def _from(self, start: float, lead: int) -> Iterator[Frame]:
        """Frames from at least `lead` frames before `start`, or from the beginning."""
        if start > 0 and self._seekable:
            early: deque[Frame] = deque(maxlen=lead)
            frames = self._sought(max(0.0, start - 1.0))
            for frame in frames:
                if frame.t >= start and len(early) < lead:
                    break
                early.append(frame)
                if len(early) == lead:
                    yield from early
                    yield from frames
                    return
        yield from self._restarted()

    def _sought(self, t: float) -> Iterator[Frame]:
        self._first = None
        self._watch.sought()
        self._landed = True
        try:
            self._container.seek(self._timing.timestamp(t), stream=self._stream)
        except av.FFmpegError:
            return iter(())
        return self._pictures()

    def _at(self, sampler: Sampler, start: float) -> Iterator[Frame]:
        """The frames of `count`: the times come from the packets, the frames by seeking."""
        self._wish = None
        times, keys, end = self._times()
        wanted = samplers.spread(times, sampler.count, sampler.seed, end) if times else []
        self._wish = Wish(sampler, times=frozenset(wanted))
        frames: Iterator[Frame] | None = None
        reached = -math.inf
        # One from before the start, too: if it cannot be decoded, a later frame is its.
        for t in wanted[max(0, bisect_left(wanted, start) - 1) :]:
            if t <= reached:
                continue
            at = bisect_right(keys, t)
            key = keys[at - 1] if at else -math.inf
            if frames is None or (self._seekable and key > reached):
                self._wish.end = keys[at] if self._seekable and at < len(keys) else math.inf
                frames = chain(self._near(t, key), self._later(t, key))
            for found in frames:
                reached = found.t
                if reached >= t:
                    yield found
                    break

    def _later(self, t: float, key: float) -> Iterator[Frame]:
        """Frames from the keyframe on to the end, once its own group has given none from `t` on."""
        if self._wish and self._wish.end < math.inf:
            self._wish.end = math.inf
            yield from self._near(t, key)

    def _near(self, t: float, key: float) -> Iterator[Frame]:
        """Frames from the keyframe at `key` on, or from the beginning; `t` is among them."""
        if key > 0 and self._seekable:
            frames = self._sought(key)
            first = next(frames, None)
            if first is not None and first.t <= t:
                return chain([first], frames)
            return self._again()
        return self._restarted()

    def _times(self) -> tuple[list[float], list[float], float]:
        """The ascending times of all frames, of the keyframes, and of the end, from the packets."""
        times, keys = array("d"), array("d")
        self._reopen()
        for number, packet in enumerate(self._packets()):
            t = self._timing.time(packet, number)
            if t is not None and not packet.is_discard:
                times.append(t)
                if packet.is_keyframe:
                    keys.append(times[-1])
        damage = self.partial or self._watch.reason
        end = self._timing.reached(self._clock)
        self._reopen()
        self.partial = damage
        return sorted(set(times)), sorted(keys), end

    def _pictures(self) -> Iterator[Frame]:
        """Decode on from where the container stands; times ascend.

        What cannot be decoded is left out, and so is what the decoder gives too late to be shown.
        """
        frames = self._decoded()
        last = -math.inf
        for frame in frames if self._timing.timed else sorted_times(frames):
            if frame.t > last:
                last = frame.t
                yield frame

    def _decoded(self) -> Iterator[Frame]:
        context = self._stream.codec_context
        for packet, whole in chain(self._needed(), [(None, True)]):  # None: what is held back
            context.skip_frame = "DEFAULT" if whole else "NONREF"
            if self.remote and packet:
                self.remote.fill(packet)
            try:
                pictures = context.decode(packet)
            except av.EOFError:
                continue
            except (av.FFmpegError, ValueError) as error:
                self._fail(error)
                continue
            for picture in pictures:
                t = self._timing.shown(picture)
                self._watch.frame(picture, t)
                if self._timing.timed or picture.key_frame or not self._keys_only:
                    yield Frame(t, picture, self._scaler)

    @property
    def _keys_only(self) -> bool:
        return self._wish is not None and self._wish.sampler.kind == "keyframes"

    def _needed(self) -> "Iterator[tuple[av.Packet[VideoStream], bool]]":
        """The packets that are wanted, and whether all of them or those that others need."""
        context, remote, timing = self._stream.codec_context, self.remote, self._timing
        resets = begins_anew(context.codec.canonical_name, context.extradata)
        stream: Stream[av.Packet[VideoStream]] = Stream(
            timing.seconds,
            timing.timed,
            lambda key: self._seekable and resets(remote.head(key) if remote else bytes(key)),
            lambda last: timing.until(timing.seconds(last.pts or 0), last.duration, self.duration),
            self._container.format.name in ("mpegts", "mpeg"),
        )
        packets = self._packets()
        if self._skip > 0:
            packets = from_keyframe(packets, stream, self._skip)
        return needed(packets, stream, lambda: self._wish)

    def _packets(self) -> "Iterator[av.Packet[VideoStream]]":
        """The packets of the video stream that can be decoded; their times go on rising."""
        again = None if self._seekable else self._beside
        self._clock = clock.Clock(self._container, self._timing, again)
        whole = not self._landed
        yield from self._clock.rising(self._decodable())
        self._short = self._watch.reached
        if whole:
            self._found, self._broken = self._timing.reached(self._clock), self._clock.carried

    def _decodable(self) -> "Iterator[av.Packet[VideoStream]]":
        held: av.Packet[VideoStream] | None = None
        for packet in read_on(self._demuxed, self._fail, self._watch.begins):
            self._alive()
            if self.remote:
                self.remote.mark(packet)
            if packet.has_sidedata("encryption_info"):
                self._fail("it is encrypted")
            elif packet.size:  # an empty one would end the decoding
                self._watch.packet(packet)
                if held:
                    yield held
                held = packet
        if held and held.is_corrupt:
            self._fail("the file ends in the middle of a frame")
        self._watch.ended(missing_bytes(self.path, self._bytes, self.remote))
        if held and not held.is_corrupt:
            yield held

    def _demuxed(self) -> "Iterator[av.Packet[VideoStream]]":
        wish = self._wish
        if self.remote and wish and self._keys_only and "matroska" in self._container.format.name:
            self._landed = True
            beside = self._beside()
            start = wish.start + float(self._timing.origin)
            return listed_keyframes(beside, best_stream(self.path, beside), start)
        return self._container.demux(self._stream)

    def _fail(self, error: Exception | str) -> None:
        words = error if isinstance(error, str) else reason(error)
        self.partial = self.partial or self._watch.reason or words

    def end(self, last: Frame | None) -> float:
        """When the last frame ends."""
        return self._timing.until(last.t, last.duration, self.duration) if last else 0.0


def frame(path: str | os.PathLike[str], t: float) -> NDArray[np.uint8]:
    """The upright RGB picture shown at `t` seconds: uint8 (height, width, 3).

    That is the last frame at or before `t`, or the first frame if `t` is before it. Raises
    VideoError past the end.
    """
    with Video(path) as video:
        shown: Frame | None = None
        for later in video._from(t, 1):
            if later.t > t and shown is not None:
                break
            shown = later
            if later.t > t:
                break
        else:
            end = video.end(shown)
            if t > end:
                raise VideoError(f"{video.path}: {t} s is past its end at {end:.3f} s")
        assert shown is not None
        return shown.scale(shown.width, shown.height)
