"""Read the packets of one opened file: those of its video stream that can be decoded."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from framefind.video.bounds import limit_decoder
from framefind.video.bucket_file import BucketFile
from framefind.video.clock import Timing
from framefind.video.damage import Watch, choose_message_level, read_messages
from framefind.video.extent import describe_end
from framefind.video.geometry import Geometry
from framefind.video.keyframes import read_listed_keyframes
from framefind.video.open import (
    choose_stream,
    explain_error,
    is_seekable,
    open_container,
    read_packets,
)
from framefind.video.packets import Stream, reset_test


class Demuxer:
    """One opening of a file. `partial` says why some of it could not be read or decoded, if so.

    `size` is how many bytes of it count, `remote` the file where it lies in an object store, and
    `threads` the decoder's (0: as many as there are cores). Where `hwaccel` cannot decode it, the
    processor does, and `fallback` says why. `alive` is called for every packet.
    Raises NotAVideoError, VideoError or StoreError.
    """

    def __init__(
        self,
        path: str,
        size: int,
        remote: BucketFile | None,
        threads: int,
        hwaccel: HWAccel | None,
        alive: Callable[[], None],
    ) -> None:
        read_messages(choose_message_level(path))  # what was printed before is about another file
        self.path = path
        self.partial: str | None = None
        self.fallback: str | None = None
        self.was_sought = False
        self._size = size
        self._remote = remote
        self._alive = alive
        self.container = self._open(hwaccel)
        try:
            self.formats = set(self.container.format.name.split(","))
            self.stream = choose_stream(path, self.container)
            limit_decoder(path, self.stream.codec_context, threads)
            for stream in self.container.streams:
                if stream.index != self.stream.index:
                    stream.discard = Discard.all
            self.is_seekable = is_seekable(path, self.container, self.stream)
            self.geometry = Geometry(self.stream)
            self.timing = Timing(self.container, self.stream)
            again = None if remote else partial(open_container, path, size)
            self.watch = Watch(self.container, self.stream, again)
            if remote:
                remote.hollow_out(self.container, self.stream)
        except BaseException:
            self.container.close()
            raise

    def _open(self, hwaccel: HWAccel | None) -> InputContainer:
        if hwaccel:
            try:
                return open_container(self.path, self._size, hwaccel, self._remote)
            except Exception as error:  # PyAV raises errors of many types
                self.fallback = explain_error(error)
        return open_container(self.path, self._size, file=self._remote)

    def open_beside(self) -> InputContainer:
        """Open the file once more, beside this opening."""
        file = self._remote.copy_handle() if self._remote else None
        return open_container(self.path, self._size, file=file)

    def close(self) -> None:
        """Close the file, and free the decoder with its threads."""
        self.container.close()
        for each in ("stream", "watch"):
            vars(self).pop(each, None)

    @property
    def damage(self) -> str | None:
        """Return why some of the video could not be decoded so far, or None."""
        return self.partial or self.watch.reason

    def fail(self, error: Exception | str) -> None:
        """Note why some of the video cannot be decoded; the first reason stays."""
        self.partial = self.damage or (error if isinstance(error, str) else explain_error(error))

    def seek(self, t: float) -> bool:
        """Go to the last keyframe at or before `t`, in seconds; False if that fails."""
        self.watch.sought()
        self.was_sought = True
        with suppress(av.FFmpegError):
            self.container.seek(self.timing.timestamp(t), stream=self.stream)
            return True
        return False

    def describe_stream(
        self, duration: Callable[[], float | None]
    ) -> "Stream[Packet[VideoStream]]":
        """Return the video stream for `select_packets`; `duration` gives its seconds, if known."""
        remote = self._remote
        timing = self.timing
        context = self.stream.codec_context
        resets = reset_test(context.codec.canonical_name, context.extradata)
        return Stream(
            timing.seconds,
            timing.timed,
            lambda key: self.is_seekable and resets(remote.head(key) if remote else bytes(key)),
            lambda last: timing.until(timing.seconds(last.pts or 0), last.duration, duration()),
            open_ended=bool({"mpegts", "mpeg"} & self.formats),
        )

    def packets(self, keyframes_from: float | None = None) -> "Iterator[Packet[VideoStream]]":
        """Yield the packets from here on that can be decoded, in the order of decoding.

        With `keyframes_from`, in seconds, packets other than keyframes' from there on are not
        needed: where the file is remote and lists them, only those are read.
        """
        previous: Packet[VideoStream] | None = None
        demux = partial(self._demux, keyframes_from)
        for packet in read_packets(demux, self.fail, self.watch.begins):
            self._alive()
            if self._remote:
                self._remote.mark(packet)
            if packet.has_sidedata("encryption_info"):
                self.fail("it is encrypted")
            elif packet.size:  # an empty one would end the decoding
                self.watch.packet(packet)
                if previous:
                    yield previous
                previous = packet
        if previous and previous.is_corrupt:
            self.fail("the file ends in the middle of a frame")
        self.watch.ended(describe_end(self.path, self._size, self._remote))
        if previous and not previous.is_corrupt:
            yield previous

    def _demux(self, keyframes_from: float | None) -> "Iterator[Packet[VideoStream]]":
        if self._remote and keyframes_from is not None and "matroska" in self.formats:
            beside = self.open_beside()
            start = keyframes_from + float(self.timing.origin)
            return read_listed_keyframes(beside, choose_stream(self.path, beside), start)
        return self.container.demux(self.stream)
