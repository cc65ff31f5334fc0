"""Decode in a process of its own: a crash or a hang inside a decoder fails one file, no more.

This is the parent's side; the child's is `process_main.py`, and what passes between them is
described in `messages.py`.
"""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framefind.errors import FramefindError, NotAVideoError, StoreError, VideoError
from framefind.processes import python_command
from framefind.types import Box, Cue
from framefind.video.facts import Facts
from framefind.video.messages import HEADER_LENGTH
from framefind.video.sound import Samples

MAX_STALL_SECONDS = 120.0
"""Seconds without a sign of life after which a child is killed."""

_ERRORS = {"NotAVideoError": NotAVideoError, "StoreError": StoreError}  # of the child, by name
_PIPE_BYTES = 2**20  # a larger pipe costs fewer switches between the processes


@dataclass(frozen=True)
class SampledFrame:
    """A sampled frame, ready to be embedded.

    `t` in seconds; `boxes`, one per view; `pixels`, uint8 RGB (views, size, size, 3); `thumbnail`,
    a JPEG. A frame that looks like the one before it has no `pixels`, and that one's thumbnail.
    `cuts` are the times in seconds at which shots begin, as far as they were found since the frame
    before.
    """

    t: float
    boxes: list[Box]
    pixels: NDArray[np.uint8]
    thumbnail: bytes
    cuts: Sequence[float] = ()


@dataclass(frozen=True)
class ScreenCues:
    """What was written in frames; `until`: all is read up to that second, and may go on there."""

    cues: list[Cue]
    until: float | None


class DecoderProcess:
    """One child process that decodes one file at a time. Not for several threads at once.

    The child is started when it is first needed, and again after it died. `stall` is the number of
    seconds without any progress after which it is killed, `decoder` as for Video. Frames that look
    like the one before, by the bound `dedupe`, come without pixels. `main` is the module that the
    child runs: one that calls `process_main.main`.

    `spent` sums the seconds of processor time of `probe`, `decode`, `scale`, `send` and `read`.
    """

    def __init__(
        self,
        stall: float = MAX_STALL_SECONDS,
        decoder: str = "auto",
        dedupe: float = 0.0,
        main: str = "framefind.video.process_main",
    ) -> None:
        self.path = ""
        self.partial: str | None = None
        self.duration: float | None = None
        """Seconds of the last video, as far as they are known after its frames; see Video."""
        self.fallback: str | None = None
        """Why the processor decodes the last video and not `decoder`, if so."""
        self.last_cuts: list[float] = []
        """Cuts that were found after the last frame was given."""
        self.spent: Counter[str] = Counter()
        self._stall = stall
        self._decoder = decoder
        self._dedupe = dedupe
        self._main = main
        self._child: _Child | None = None

    def open(self, path: str, skip_id: bool = False) -> tuple[Facts, str]:
        """Open a video, which `frames` then decodes; return its facts and, unless skipped, its id.

        Raises NotAVideoError for a file without video, VideoError for one that cannot be decoded or
        on which the decoder crashes or hangs, and StoreError for one that its store does not give.
        """
        self.path = path
        self.partial = None
        try:
            answer = self._ask({"open": path, "skip_id": skip_id, "decoder": self._decoder})
        except FramefindError:
            self.path = ""
            raise
        self.fallback = answer["fallback"]
        return Facts(**answer["facts"]), answer["video_id"]

    def cuts(self, length: float) -> list[float]:
        """Return times that cut the opened video into spans of that length; see `Video.cuts`."""
        return list(self._ask({"cuts": length})["cuts"])

    def frames(
        self,
        sampler: str,
        views: str,
        size: int,
        start: float = 0.0,
        threads: int = 0,
        end: float = math.inf,
        resize: str = "bilinear",
    ) -> Iterator[SampledFrame]:
        """Yield the sampled frames alone; otherwise as `sample`."""
        items = self.sample(sampler, views, size, start, threads, end, resize)
        with contextlib.closing(items):
            for item in items:
                if isinstance(item, SampledFrame):
                    yield item

    def sample(
        self,
        sampler: str,
        views: str,
        size: int,
        start: float = 0.0,
        threads: int = 0,
        end: float = math.inf,
        resize: str = "bilinear",
        read_screen: bool = False,
        views_from: float = -math.inf,
    ) -> Generator[SampledFrame | ScreenCues]:
        """Yield the sampled frames of the opened video from `start` until before `end`, in views.

        With `read_screen`, yields between them what is written in them; without `views`, only that,
        and only that before `views_from`.
        `size` is the side of a view in pixels, `resize` the filter that scales it down, as a model
        names it; `threads` are the decoder's (0: one per core).

        Raises VideoError if the video cannot be decoded, or the decoder crashes or hangs, and
        StoreError if the object store stops giving it. When the iterator has ended, `partial` says
        what could not be decoded, or is None. The iterator may be closed early.
        """
        request = {"sampler": sampler, "views": views, "size": size, "resize": resize}
        request |= {"start": start, "end": end, "threads": threads, "dedupe": self._dedupe}
        request |= {"read_screen": read_screen, "views_from": views_from}
        thumbnail = b""
        with contextlib.closing(self._stream(request)) as headers:
            for header in headers:
                if "cues" in header:
                    yield ScreenCues([*map(_as_cue, header["cues"])], header["until"])
                    continue
                frame = self._read_frame(header, thumbnail)
                thumbnail = frame.thumbnail
                yield frame

    def subtitles(self, sidecars: Sequence[str], fps: float | None) -> Iterator[Cue]:
        """Yield the subtitles of the opened video, of which `fps` are the frames per second.

        `sidecars` are the paths or URIs of subtitle files beside it. Raises errors as `sample`
        does; `partial` says which subtitles could not be read.
        """
        request = {"subtitles": [*sidecars], "fps": fps}
        with contextlib.closing(self._stream(request)) as headers:
            for header in headers:
                yield from map(_as_cue, header["cues"])

    def sound(self, start: float = 0.0, length: float | None = None) -> Generator[Samples]:
        """Yield the sound of the opened video from `start` seconds on; see `Sound.pieces`.

        `length` is the video's in seconds, if it is known. Raises errors, and sets `partial`, as
        `frames` does.
        """
        with contextlib.closing(self._stream({"sound": start, "length": length})) as headers:
            for header in headers:
                piece = np.zeros(header["samples"], np.float32)
                if not header["silent"]:
                    self._read(piece.view(np.uint8).data)
                yield piece

    def _stream(self, request: dict[str, Any]) -> Generator[dict[str, Any]]:
        """Send a request; yield the headers of what it streams, and note how that has ended."""
        if not self._child:  # it died, or was closed
            self.open(self.path, skip_id=True)
        ended = False
        try:
            answer = self._ask(request)
            while "ended" not in answer:
                yield answer
                answer = self._answer()
            self.partial = answer["ended"]
            self.duration = answer.get("duration", self.duration)
            self.last_cuts = answer.get("cuts", [])
            self.spent.update(answer["spent"])
            ended = True
        finally:
            if not ended:
                self.close()  # killing a busy decoder is cheaper than making it listen

    def close(self) -> None:
        """End the child."""
        if self._child:
            self._child.end()
            self._child = None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._child = self._child or _Child(self._stall, self._main)
        try:
            self._child.write(request)
        except OSError:
            raise self._died() from None
        return self._answer()

    def _read_frame(self, header: dict[str, Any], last: bytes) -> SampledFrame:
        """Read the frame that a header announces; `last` is the thumbnail of the one before it."""
        pixels = np.empty(header["shape"], np.uint8)
        self._read(pixels.reshape(-1).data)
        thumbnail = bytearray(header["thumbnail"])
        self._read(memoryview(thumbnail))
        boxes: list[Box] = [(x, y, width, height) for x, y, width, height in header["boxes"]]
        jpeg = bytes(thumbnail) or last
        return SampledFrame(header["t"], boxes, pixels, jpeg, header["cuts"])

    def _answer(self) -> dict[str, Any]:
        """Return the next header that is no sign of life. Raises the error that it holds."""
        while True:
            length = bytearray(HEADER_LENGTH.size)
            self._read(memoryview(length))
            header = bytearray(HEADER_LENGTH.unpack(length)[0])
            self._read(memoryview(header))
            answer: dict[str, Any] = json.loads(header)
            if "error" in answer:
                raise _ERRORS.get(answer["kind"], VideoError)(answer["error"])
            if answer:
                return answer

    def _read(self, buffer: memoryview) -> None:
        try:
            is_complete = self._child is not None and self._child.read(buffer)
        except BaseException:  # interrupted in the middle of a message
            self.close()
            raise
        if not is_complete:
            raise self._died()

    def _died(self) -> VideoError:
        """Forget the child; return the error that says how it ended."""
        child = self._child
        self._child = None
        return VideoError(
            f"{self.path}: {child.explain_end() if child else 'its decoder was stopped'}"
        )


def _as_cue(values: list[Any]) -> Cue:
    start, end, text, source, language, box = values
    return Cue(start, end, text, source, language, box and tuple(box))


class _Child:
    """A process, its pipes, and a thread that kills it when it shows no sign of life."""

    def __init__(self, stall: float, main: str) -> None:
        self._process = subprocess.Popen(
            python_command(main),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # NumPy would start threads for nothing
        )
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):  # the user's limit of pipe memory is reached
                fcntl.fcntl(self._process.stdout or -1, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._stall = stall
        self._waiting_since: float | None = None
        self._stalled = False
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def write(self, request: dict[str, Any]) -> None:
        """Send a request. Raises OSError if the child has ended."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def read(self, buffer: memoryview) -> bool:
        """Fill the buffer; return False if the child ended before that."""
        assert self._process.stdout
        self._waiting_since = time.monotonic()
        try:
            while buffer:
                count = self._process.stdout.readinto(buffer)  # type: ignore[attr-defined]
                if not count:
                    return False
                buffer = buffer[count:]
                self._waiting_since = time.monotonic()
        finally:
            self._waiting_since = None
        return True

    def end(self) -> None:
        """Kill the process and close its pipes."""
        self._ended.set()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def explain_end(self) -> str:
        """Return how the process ended, for people, after its output did."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.poll()
        self.end()
        if self._stalled:
            return f"the decoder made no progress for {self._stall:g} s and was stopped"
        return f"the decoder crashed{'' if code is None else f' ({_describe_exit(code)})'}"

    def _watch(self) -> None:
        while not self._ended.wait(min(1.0, self._stall / 4)):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._stall:
                self._stalled = True
                self._process.kill()
                return


def _describe_exit(code: int) -> str:
    """Return the name of the signal that ended a process, or its exit code."""
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
