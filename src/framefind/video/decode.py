"""Decode one video: its facts, and sampled frames with exact times.

A frame's time is its presentation timestamp less the container's start, in seconds: what players
and subtitles count from. Pictures are upright: rotated, mirrored and stretched as the file asks.
"""

import math
import os
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

import av
from av.packet import Packet
from av.video.stream import VideoStream

from framefind.errors import NotAVideoError
from framefind.files.objects import canonical_uri, is_remote
from framefind.video import clock
from framefind.video.demux import Demuxer
from framefind.video.facts import Facts
from framefind.video.frame import Frame, Scaler, sort_times
from framefind.video.keyframes import list_packets, space_keyframes
from framefind.video.open import (
    file_size,
    find_hwaccel,
    is_still_format,
    open_remote,
    size_change,
    unreadable,
)
from framefind.video.packets import from_keyframe, select_packets
from framefind.video.samplers.base import FrameTimes, GivenTimes, Sampler, Selection

_LEADS = 1.0, 10.0  # seconds before a start to read from; keyframes may be listed by their dts
_MAX_MISS_SECONDS = 60.0  # before the requested time, within which a seek has landed well


class Video:
    """An opened video. A context manager; iterate `frames`, then look at `partial`.

    `threads` are the decoder's (0: as many as there are cores). `alive` is called now and then
    while packets are read. `decoder` is `auto`, `cpu` or a device of PyAV's such as `cuda`; where
    that cannot decode this video, the processor does, and `fallback` says why. `length` is the
    video's in seconds, where it is known: if the file declares another one, its clock breaks.
    Raises NotAVideoError for a file without video, VideoError for one that cannot be decoded, and
    StoreError for one that its store does not give.
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
        self._hwaccel = find_hwaccel(decoder)
        self.path = canonical_uri(os.fspath(path))
        self.remote = open_remote(self.path) if is_remote(self.path) else None  # if in a bucket
        self._size = self.remote.size if self.remote else file_size(self.path)
        self._threads = threads
        self._alive = alive or (lambda: None)
        self.on_frame: Callable[[Frame], None] = lambda frame: None  # is shown all decoded frames
        self._selection: Selection | None = None
        self._found_end: float | None = None  # seconds until the end, as a whole pass finds it
        self._short_end: float | None = None  # the same of any pass, if far more are declared
        self._is_broken = False  # whether the clock was found to break
        self._listed_damage: str | None = None  # what reading all packets, undecoded, showed
        self._lacks_times = False  # the file says only when frames are decoded
        self._begun: Iterator[Frame] = iter(())  # the frames after the first one
        self._open()
        try:
            self._first = self._begin()
            timing = self._file.timing
            if timing.timed and timing.reordered and self._clock.is_shown_as_decoded:
                self._lacks_times = True
                self._reopen()
                self._first = self._begin()
            if self._first is None:
                words = self.partial or "it holds no frame"
                raise unreadable(self.path, words, self._file.container)
            if self._is_still():
                raise NotAVideoError(f"{self.path}: a still picture")
            container = self._file.container
            stream = self._file.stream
            self.facts = Facts.of(container, stream, self._first, self._file.open_beside)
            self.has_subtitles = bool(container.streams.subtitles)
            breaks = clock.is_broken(self.facts.duration, length)
            declares = bool({"mov", "matroska"} & self._file.formats)
            self._lands_well = not (breaks or declares or self._file.timing.counted)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and free the decoder with its threads."""
        self._first = None
        self._begun = iter(())  # the generator refers to this, and would keep it alive
        self._file.close()

    @property
    def partial(self) -> str | None:
        """Return why some of the video could not be decoded, once its frames are through."""
        return self._file.partial

    @property
    def damage(self) -> str | None:
        """Return why some of the video could not be decoded so far, or None."""
        return self._file.damage

    @property
    def duration(self) -> float | None:
        """Return the seconds from the container's start to the end, as far as they are known.

        As declared; as a pass to the end finds it where the clock breaks or the end lies elsewhere.
        """
        declared = None if self._clock.carried or self._is_broken else self.facts.duration
        return clock.resolve_length(declared, self._found_end, self._short_end)

    def end(self, last: Frame | None) -> float:
        """Return when the last frame of the video ends, in seconds."""
        if last is None:
            return 0.0
        return self._file.timing.until(last.t, last.duration, self.duration)

    def frames(
        self, sampler: Sampler, start: float = 0.0, end: float = math.inf
    ) -> Iterator[Frame]:
        """Yield the frames that `sampler` chooses from `start` until before `end`, in seconds.

        They are those that a whole pass gives there, in order. When it has ended, `partial` says
        why some of the video could not be decoded, or is None.
        """
        empty = True
        for frame in sampler.sample(self, start, end):
            if frame.t >= end:
                break
            if frame.t >= start:
                empty = False
                yield frame
        if empty and end == math.inf:
            self._selection = None
            yield from (frame for frame in islice(self._restart(), 1) if frame.t >= start)
        self._file.watch.listen()
        self._file.partial = self.damage or self._listed_damage
        if change := size_change(self.path, self._size):
            self._file.fail(change)

    def play(self, start: float = 0.0) -> Iterator[Frame]:
        """Yield all frames from the one that is shown at `start` on, for a player.

        Where a seek does not tell exactly where it lands, times after it may be a little off.
        """
        current: Frame | None = None
        for frame in self._play(start):
            if current is not None and frame.t > start:
                yield current
            current = frame
        if current is not None:
            yield current

    def _play(self, start: float) -> Iterator[Frame]:
        """Yield all frames from one at or before `start` on."""
        if start <= 0 or self._file.is_seekable:
            return self.read_from(start, 1)
        self._selection = None
        if not self._lands_well:
            self._reopen()
            return self._read(skip=start)
        frames = self._seek(max(0.0, start - 1.0))
        first = next(frames, None)
        if first is not None and start - _MAX_MISS_SECONDS < first.t <= start:
            return chain([first], frames)
        return self._read_again()

    def cuts(self, length: float) -> list[float]:
        """Return times in seconds that cut the video into spans of about that length.

        They lie at keyframes, so that the spans can be decoded apart. Empty where the file lists
        none, or is not trusted to be read from the middle.
        """
        file = self._file
        if not self.facts.duration or not file.is_seekable or not file.timing.timed:
            return []
        if "matroska" in file.formats:  # its list is only read by seeking
            self._first = None
        listed = list_packets(file.container, file.stream)
        count = math.ceil(self.facts.duration / length - 0.5)
        step = length / file.timing.base
        cuts = space_keyframes(listed, file.timing.timestamp(0.0), step, count)
        return [file.timing.seconds(timestamp) for timestamp in cuts]

    # -- what samplers ask for

    def read_selected(self, selection: Selection) -> Iterator[Frame]:
        """Yield the frames that a selection takes, after some from before its start."""
        self._selection = selection
        for lead in _LEADS if selection.start > 0 and self._file.is_seekable else ():
            frames = self._seek(max(0.0, selection.start - lead))
            first = next(frames, None)
            begins = first is None or first.t <= selection.start or first.is_keyframe
            if selection.led and (begins or selection.keyframes_only):
                return chain([] if first is None else [first], frames)
        if selection.keyframes_only:
            self._first = None  # it need not be one
        return self._restart()

    def read_from(self, start: float, lead: int) -> Iterator[Frame]:
        """Yield all frames from at least `lead` frames before `start` on, or from the beginning."""
        self._selection = None
        if start > 0 and self._file.is_seekable:
            early: deque[Frame] = deque(maxlen=lead)
            frames = self._seek(max(0.0, start - 1.0))
            for frame in frames:
                if frame.t >= start and len(early) < lead:
                    break
                early.append(frame)
                if len(early) == lead:
                    yield from early
                    yield from frames
                    return
        yield from self._restart()

    def read_times(self) -> FrameTimes:
        """Return the times of all frames, from the packets, without decoding."""
        self._selection = None
        times = array("d")
        keyframes = array("d")
        self._reopen()
        timing = self._file.timing
        for number, packet in enumerate(self._packets()):
            t = timing.time(packet, number)
            if t is not None and not packet.is_discard:
                times.append(t)
                if packet.is_keyframe:
                    keyframes.append(t)
        self._listed_damage = self.damage
        end = timing.reached(self._clock)
        self._reopen()
        return FrameTimes(sorted(set(times)), sorted(keyframes), end)

    def read_at(self, times: Sequence[float], listed: FrameTimes, start: float) -> Iterator[Frame]:
        """Yield the frames at `times`, or the next ones that can be decoded."""
        self._selection = selection = GivenTimes(times=frozenset(times))
        keyframes = listed.keyframes
        frames: Iterator[Frame] | None = None
        reached = -math.inf
        # One from before the start, too: if it cannot be decoded, a later frame takes its place.
        for t in times[max(0, bisect_left(times, start) - 1) :]:
            if t <= reached:
                continue
            following = bisect_right(keyframes, t)
            keyframe = keyframes[following - 1] if following else -math.inf
            if frames is None or (self._file.is_seekable and keyframe > reached):
                in_group = self._file.is_seekable and following < len(keyframes)
                selection.end = keyframes[following] if in_group else math.inf
                frames = chain(
                    self._read_near(t, keyframe), self._read_beyond(selection, t, keyframe)
                )
            for frame in frames:
                reached = frame.t
                if reached >= t:
                    yield frame
                    break

    def _read_beyond(self, selection: Selection, t: float, keyframe: float) -> Iterator[Frame]:
        """Yield frames from the keyframe to the end, once its GOP has given none from `t` on."""
        if selection.end < math.inf:
            selection.end = math.inf
            yield from self._read_near(t, keyframe)

    def _read_near(self, t: float, keyframe: float) -> Iterator[Frame]:
        """Yield frames from a keyframe on, or from the beginning; `t` is among their times."""
        if keyframe > 0 and self._file.is_seekable:
            frames = self._seek(keyframe)
            first = next(frames, None)
            if first is not None and first.t <= t:
                return chain([first], frames)
            return self._read_again()
        return self._restart()

    # -- opening

    def _open(self) -> None:
        self._file = Demuxer(
            self.path, self._size, self.remote, self._threads, self._hwaccel, self._alive
        )
        self._file.timing.timed &= not self._lacks_times
        self._scaler = Scaler(self._file.geometry)
        if self._file.fallback:
            self.fallback = self._file.fallback
            self._hwaccel = None

    def _reopen(self) -> None:
        self.close()
        self._open()

    def _begin(self) -> Frame | None:
        """Return the first frame, if there is any."""
        self._begun = self._read()
        return next(self._begun, None)

    def _is_still(self) -> bool:
        if not is_still_format(self._file.container):
            return False
        second = next(self._begun, None)
        if second is not None:
            self._begun = chain([second], self._begun)
        return second is None

    # -- decoding

    def _restart(self) -> Iterator[Frame]:
        """Yield all frames; go on from the first one if nothing else was read since."""
        if self._first is not None:
            frames = chain([self._first], self._begun)
            self._first = None
            return frames
        return self._read_again()

    def _read_again(self) -> Iterator[Frame]:
        self._reopen()
        return self._read()

    def _seek(self, t: float) -> Iterator[Frame]:
        self._first = None
        return self._read() if self._file.seek(t) else iter(())

    def _read(self, skip: float = 0.0) -> Iterator[Frame]:
        """Decode on from where the container stands; times ascend.

        What cannot be decoded is left out, and so is what the decoder gives too late to be shown.
        Decoding begins at the last keyframe at or before `skip`, in seconds.
        """
        frames = self._decode(skip)
        last = -math.inf
        timed = self._file.timing.timed
        for frame in frames if timed else sort_times(frames):
            if frame.t > last:
                last = frame.t
                self.on_frame(frame)
                if timed or frame.is_keyframe or not self._keyframes_only:
                    yield frame

    def _decode(self, skip: float) -> Iterator[Frame]:
        file = self._file
        context = file.stream.codec_context
        if self._keyframes_only:  # else it waits for what a gradual refresh leaves out
            context.flags |= av.codec.context.Flags.output_corrupt
        # After the last packet, None makes the decoder give what it holds back.
        for packet, all_frames in chain(self._select(skip), [(None, True)]):
            context.skip_frame = "DEFAULT" if all_frames else "NONREF"
            if self.remote and packet:
                self.remote.fill(packet)
            try:
                pictures = context.decode(packet)
            except av.EOFError:
                continue
            except (av.FFmpegError, ValueError) as error:
                file.fail(error)
                continue
            for picture in pictures:
                t = file.timing.shown(picture)
                file.watch.frame(picture, t)
                yield Frame(t, picture, self._scaler)

    @property
    def _keyframes_only(self) -> bool:
        return self._selection is not None and self._selection.keyframes_only

    def _select(self, skip: float) -> "Iterator[tuple[Packet[VideoStream], bool]]":
        """Yield the packets to decode, each with whether non-reference frames are decoded, too."""
        stream = self._file.describe_stream(lambda: self.duration)
        packets = self._packets()
        if skip > 0:
            packets = from_keyframe(packets, stream, skip)
        return select_packets(packets, stream, lambda: self._selection)

    def _packets(self) -> "Iterator[Packet[VideoStream]]":
        """Yield the packets that can be decoded; times go on rising where the clock breaks."""
        file = self._file
        again = None if file.is_seekable else file.open_beside
        self._clock = clock.Clock(file.container, file.timing, again)
        is_whole = not file.was_sought
        start = self._selection.start if self._selection and self._keyframes_only else None
        yield from self._clock.rising(file.packets(start))
        self._short_end = file.watch.reached
        if is_whole:
            self._found_end = file.timing.reached(self._clock)
            self._is_broken = self._clock.carried
