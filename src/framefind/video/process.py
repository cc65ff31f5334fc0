"""Decoding in a process of its own: a crash or a hang inside a decoder fails one file, no more.

The parent writes one JSON line per request to the stdin of the child (`python -m
framefind.video.process`). That answers on its stdout with messages: the length of a JSON header (4
bytes, big endian), the header, then the raw bytes it announces. A pipe needs no cleaning up when
either side is killed, and it holds a child back that decodes faster than the parent reads.
"""

import contextlib
import json
import math
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framefind.errors import NotAVideoError, StoreError, VideoError
from framefind.processes import python_command
from framefind.video.damage import overhear
from framefind.video.decode import Video
from framefind.video.facts import Facts
from framefind.video.identity import video_id
from framefind.video.samplers import parse_sampler
from framefind.video.views import Box, Likeness, Views

STALL = 120.0
"""Seconds without a sign of life after which a child is given up."""

_BEAT = 1.0  # seconds between two signs of life while no frame is sampled
_LENGTH = struct.Struct(">I")
_KINDS = {"NotAVideoError": NotAVideoError, "StoreError": StoreError}
_PIPE = 2**20  # bytes; a bigger pipe costs fewer switches between the processes


@dataclass(frozen=True)
class SampledFrame:
    """A sampled frame, ready to be embedded.

    `t` in seconds; `boxes`, one per view; `pixels`, uint8 RGB (views, size, size, 3); `thumbnail`,
    a JPEG. A frame that looks like the one before it has no `pixels`, and that one's thumbnail.
    """

    t: float
    boxes: list[Box]
    pixels: NDArray[np.uint8]
    thumbnail: bytes


class Worker:
    """One child process that decodes one file at a time.

    It is started when it is first needed, and again after it died. `stall` is the number of
    seconds without any progress after which the child is killed, `decoder` as for Video. Frames
    that look like the one before, by the bound `dedupe`, come without pixels. Not for use by
    several threads at once.

    `spent` sums the seconds of processor time of `probe`, `decode`, `scale` and `send`.
    """

    def __init__(self, stall: float = STALL, decoder: str = "auto", dedupe: float = 0.0) -> None:
        self.path = ""
        self.partial: str | None = None
        self.duration: float | None = None
        """Of the last video, as far as it is known once its frames are through; see Video."""
        self.fallback: str | None = None
        """Why the last video is not decoded by the wanted decoder, if so."""
        self.spent: Counter[str] = Counter()
        self._stall, self._decoder, self._dedupe = stall, decoder, dedupe
        self._child: _Child | None = None

    def open(self, path: str, known: bool = False) -> tuple[Facts, str]:
        """The facts and the id of a video, which `frames` then decodes; no id if it is known.

        Raises NotAVideoError for a file without video, VideoError for one that cannot be decoded or
        on which the decoder crashes or hangs, and StoreError for one that its store does not give.
        """
        self.path, self.partial = path, None
        answer = self._ask({"open": path, "known": known, "decoder": self._decoder})
        self.fallback = answer["fallback"]
        return Facts(**answer["facts"]), answer["video_id"]

    def cuts(self, length: float) -> list[float]:
        """See `Video.cuts`, of the opened video."""
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
        """The sampled frames of the opened video from `start` until before `end`, cut into views.

        `size` is the side of a view in pixels, `resize` the filter that makes it so small, as a
        model names it; `threads` are the decoder's (0: one per core).
        Raises VideoError if the video cannot be decoded, or the decoder crashes or hangs, and
        StoreError if the object store stops giving it. When the iterator has ended, `partial` says
        what could not be decoded, or is None. It may be closed early.
        """
        if not self._child:  # it died since, or was given up
            self.open(self.path, known=True)
        request = {"sampler": sampler, "views": views, "size": size, "resize": resize}
        request |= {"start": start, "end": end}
        ended = False
        thumbnail = b""
        try:
            answer = self._ask({**request, "threads": threads, "dedupe": self._dedupe})
            while "ended" not in answer:
                frame = self._frame(answer, thumbnail)
                thumbnail = frame.thumbnail
                yield frame
                answer = self._answer()
            self.partial, self.duration = answer["ended"], answer["duration"]
            self.spent.update(answer["spent"])
            ended = True
        finally:
            if not ended:
                self.close()  # cheaper than to make a busy decoder listen

    def close(self) -> None:
        """End the child."""
        if self._child:
            self._child.end()
            self._child = None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._child = self._child or _Child(self._stall)
        try:
            self._child.write(request)
        except OSError:
            raise self._died() from None
        return self._answer()

    def _frame(self, header: dict[str, Any], last: bytes) -> SampledFrame:
        """The announced frame; `last` is the thumbnail of the one before it."""
        pixels = np.empty(header["shape"], np.uint8)
        self._read(pixels.reshape(-1).data)
        thumbnail = bytearray(header["thumbnail"])
        self._read(memoryview(thumbnail))
        boxes: list[Box] = [(x, y, width, height) for x, y, width, height in header["boxes"]]
        return SampledFrame(header["t"], boxes, pixels, bytes(thumbnail) or last)

    def _answer(self) -> dict[str, Any]:
        while True:
            length = bytearray(_LENGTH.size)
            self._read(memoryview(length))
            header = bytearray(_LENGTH.unpack(length)[0])
            self._read(memoryview(header))
            answer: dict[str, Any] = json.loads(header)
            if "error" in answer:
                raise _KINDS.get(answer["kind"], VideoError)(answer["error"])
            if answer:  # an empty one is a sign of life
                return answer

    def _read(self, buffer: memoryview) -> None:
        try:
            whole = self._child is not None and self._child.read(buffer)
        except BaseException:  # interrupted in the middle of a message
            self.close()
            raise
        if not whole:
            raise self._died()

    def _died(self) -> VideoError:
        child, self._child = self._child, None
        return VideoError(f"{self.path}: {child.fate() if child else 'its decoder was stopped'}")


class _Child:
    """The process, its pipes, and a watch that kills it when it shows no sign of life."""

    def __init__(self, stall: float) -> None:
        self._process = subprocess.Popen(
            python_command("framefind.video.process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # threads that NumPy starts for nothing
        )
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):  # the user's share of pipe memory is used up
                fcntl.fcntl(self._process.stdout or -1, fcntl.F_SETPIPE_SZ, _PIPE)
        self._stall = stall
        self._waiting_since: float | None = None
        self._stalled = False
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def write(self, request: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def read(self, buffer: memoryview) -> bool:
        """Fill the buffer; False if the child ended before."""
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
        """Kill the process and free what it held."""
        self._ended.set()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def fate(self) -> str:
        """How the process ended, after its output did."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.poll()
        self.end()
        if self._stalled:
            return f"the decoder made no progress for {self._stall:g} s and was stopped"
        return f"the decoder crashed{'' if code is None else f' ({_ending(code)})'}"

    def _watch(self) -> None:
        while not self._ended.wait(min(1.0, self._stall / 4)):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._stall:
                self._stalled = True
                self._process.kill()
                return


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


# -- the child


class _Server:
    """The child's side: answers requests until its stdin closes."""

    def __init__(self, output: int) -> None:
        self._output = output
        self._video: Video | None = None
        self._threads = 0
        self._decoder = "auto"
        self._last = 0.0
        self._spent: Counter[str] = Counter()
        self._lapped = time.process_time()

    def answer(self, request: dict[str, Any]) -> None:
        """Answer one request, with an error if it comes to that."""
        try:
            if "open" in request:
                self._open(request["open"], request["known"], request["decoder"])
            elif "cuts" in request:
                assert self._video
                self._send({"cuts": self._video.cuts(request["cuts"])})
            else:
                self._frames(**request)
        except (VideoError, StoreError) as error:
            self._send({"error": str(error), "kind": type(error).__name__})
        except Exception as error:  # whatever a decoder's binding may raise
            path = self._video.path if self._video else request.get("open", "")
            reason = f"{path}: {type(error).__name__}: {error}"
            self._send({"error": reason, "kind": "VideoError"})

    def _open(self, path: str, known: bool, decoder: str) -> None:
        self._close()
        self._decoder = decoder
        self._video = video = Video(path, self._threads, self._beat, decoder)
        facts = asdict(video.facts)
        reader = video.remote.reader if video.remote else None
        identity = "" if known else video_id(path, reader)
        self._lap("probe")
        self._send({"facts": facts, "video_id": identity, "fallback": video.fallback})

    def _frames(
        self,
        sampler: str,
        views: str,
        size: int,
        resize: str,
        start: float,
        end: float,
        threads: int,
        dedupe: float,
    ) -> None:
        assert self._video
        if threads != self._threads:  # likely to be the same for the next file
            self._threads = threads
            self._open_again()
        cut = Views.parse(views)
        likeness = Likeness(dedupe)
        for frame in self._video.frames(parse_sampler(sampler), start, end):
            self._lap("decode")
            scale = partial(frame.scale, resize=resize)
            pixels = cut.cut(scale, frame.width, frame.height, size)
            again = dedupe > 0 and likeness.is_again(pixels)
            thumbnail = b"" if again else frame.thumbnail()
            shown = pixels[:0] if again else pixels
            header = {
                "t": frame.t,
                "boxes": cut.boxes(frame.width, frame.height),
                "shape": shown.shape,
                "thumbnail": len(thumbnail),
            }
            self._lap("scale")
            self._send(header, shown.reshape(-1).data, thumbnail)
            self._lap("send")
        self._lap("decode")
        self._send(
            {
                "ended": self._video.partial,
                "duration": self._video.duration,
                "spent": self._spent,
            }
        )
        self._spent.clear()

    def _lap(self, stage: str) -> None:
        """Count the processor time since the last lap."""
        now = time.process_time()
        self._spent[stage] += now - self._lapped  # type: ignore[assignment]
        self._lapped = now

    def _open_again(self) -> None:
        path = self._video.path if self._video else ""
        self._close()
        self._video = Video(path, self._threads, self._beat, self._decoder)

    def _close(self) -> None:
        if self._video:
            self._video.close()
            self._video = None

    def _beat(self) -> None:
        if time.monotonic() - self._last > _BEAT:
            self._send({})

    def _send(self, header: dict[str, Any], *payloads: bytes | memoryview) -> None:
        text = json.dumps(header).encode()
        for data in (_LENGTH.pack(len(text)) + text, *payloads):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._output, rest) :]
        self._last = time.monotonic()


def _requests(lines: "queue.SimpleQueue[bytes]") -> None:
    """Pass on the parent's requests; end with it, whatever the decoder is busy with."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def main() -> None:
    """Serve the parent on stdin and stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to act on
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing else may write into the messages
    overhear()
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_requests, args=(lines,), daemon=True).start()
    server = _Server(output)
    Image.preinit()  # else the first thumbnail loads it
    while True:
        server.answer(json.loads(lines.get()))


if __name__ == "__main__":
    main()
