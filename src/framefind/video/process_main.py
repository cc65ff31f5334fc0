"""Decode for a parent process: the child's side of `process.py`.

Modules above this one may give `main` what reads words, to be run beside decoding.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, astuple
from functools import partial
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framefind.errors import StoreError, VideoError
from framefind.types import Cue
from framefind.video.cuts import CutFinder
from framefind.video.damage import capture_messages
from framefind.video.decode import Video
from framefind.video.frame import Frame
from framefind.video.identity import video_id
from framefind.video.messages import encode_header
from framefind.video.samplers import parse_sampler
from framefind.video.sound import Sound
from framefind.video.views import DuplicateDetector, Views


class ScreenReader(Protocol):
    """Reads what is written in frames, given in order."""

    def add(self, frame: Frame) -> Iterable[Cue]:
        """Read a frame; yield the cues that have ended before it."""

    def finish(self, end: float) -> Iterable[Cue]:
        """Yield the cues that are still open at `end`, in seconds."""


ReadSubtitles = Callable[
    [str, Sequence[str], float | None, bool, Callable[[str], None], Callable[[], None]],
    Iterator[Cue],
]
"""Reads a video's subtitles: by its path and those of its sidecars, frames per second, whether it
has tracks, two callbacks."""

_CUES_PER_MESSAGE = 1000
_SECONDS_BETWEEN_BEATS = 1.0  # two signs of life, while no frame is sampled


class _Server:
    """Answers requests, one after the other, with messages to the file descriptor `output`."""

    def __init__(
        self,
        output: int,
        open_screen_reader: Callable[[], ScreenReader] | None,
        read_subtitles: ReadSubtitles | None,
    ) -> None:
        self._output = output
        self._open_screen_reader = open_screen_reader
        self._read_subtitles = read_subtitles
        self._video: Video | None = None
        self._threads = 0
        self._decoder = "auto"
        self._last = 0.0
        self._spent: Counter[str] = Counter()
        self._lapped = time.process_time()

    def answer(self, request: dict[str, Any]) -> None:
        """Answer one request; with an error if it fails."""
        try:
            if "open" in request:
                self._open(request["open"], request["skip_id"], request["decoder"])
            elif "cuts" in request:
                assert self._video
                self._send({"cuts": self._video.cuts(request["cuts"])})
            elif "subtitles" in request:
                self._subtitles(request["subtitles"], request["fps"])
            elif "sound" in request:
                self._sound(request["sound"], request["length"])
            else:
                self._frames(**request)
        except (VideoError, StoreError) as error:
            self._send({"error": str(error), "kind": type(error).__name__})
        except Exception as error:  # whatever a decoder's binding may raise
            path = self._video.path if self._video else request.get("open", "")
            reason = f"{path}: {type(error).__name__}: {error}"
            self._send({"error": reason, "kind": "VideoError"})

    def _open(self, path: str, skip_id: bool, decoder: str) -> None:
        self._close()
        self._decoder = decoder
        self._video = video = Video(path, self._threads, self._beat, decoder)
        facts = asdict(video.facts)
        reader = video.remote.reader if video.remote else None
        identity = "" if skip_id else video_id(path, reader)
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
        read_screen: bool,
        views_from: float,
    ) -> None:
        """Send the sampled frames in views, and what is written in them; either may be left out."""
        assert self._video
        if threads != self._threads:  # the next file is likely to get as many
            self._threads = threads
            self._open_again()
        cut = Views.parse(views) if views else None
        detector = DuplicateDetector(dedupe) if dedupe else None
        reader = self._open_screen_reader() if read_screen and self._open_screen_reader else None
        finder = CutFinder()
        if cut:
            self._video.on_frame = finder.add
        frame: Frame | None = None
        for frame in self._video.frames(parse_sampler(sampler), start, end):
            self._lap("decode")
            if cut and frame.t >= views_from:
                scale = partial(frame.scale, resize=resize)
                self._send_views(frame, cut, scale, size, detector, finder.take())
            if reader:
                self._send_cues(reader.add(frame))
                self._lap("read")
        self._lap("decode")
        if reader:
            self._send_cues(reader.finish(min(end, self._video.end(frame))), end)
            self._lap("read")
        self._send(
            {
                "ended": self._video.partial,
                "duration": self._video.duration,
                "cuts": finder.finish(),
                "spent": self._spent,
            }
        )
        self._spent.clear()

    def _send_views(
        self,
        frame: Frame,
        cut: Views,
        scale: Callable[[int, int], NDArray[np.uint8]],
        size: int,
        detector: DuplicateDetector | None,
        cuts: list[float],
    ) -> None:
        """Send a frame, and `cuts` with it; without pixels if it looks like the one before."""
        pixels, boxes = cut.cut(scale, frame.width, frame.height, size)
        is_duplicate = detector is not None and detector.is_duplicate(pixels)
        thumbnail = b"" if is_duplicate else frame.thumbnail()
        sent = pixels[:0] if is_duplicate else pixels
        header = {
            "t": frame.t,
            "cuts": cuts,
            "boxes": boxes,
            "shape": sent.shape,
            "thumbnail": len(thumbnail),
        }
        self._lap("scale")
        self._send(header, sent.reshape(-1).data, thumbnail)
        self._lap("send")

    def _send_cues(self, cues: Iterable[Cue], until: float | None = None) -> None:
        """Send cues, if there are any; `until` tells that all is read up to that second."""
        rows = [astuple(cue) for cue in cues]
        if rows or until is not None:
            self._send({"cues": rows, "until": until})

    def _subtitles(self, sidecars: Sequence[str], fps: float | None) -> None:
        assert self._video
        assert self._read_subtitles
        troubles: list[str] = []
        video = self._video
        cues = self._read_subtitles(
            video.path, sidecars, fps, video.has_subtitles, troubles.append, self._beat
        )
        while some := list(islice(cues, _CUES_PER_MESSAGE)):
            self._lap("read")
            self._send_cues(some)
        self._lap("read")
        self._send({"ended": "; ".join(troubles) or None, "spent": self._spent})
        self._spent.clear()

    def _sound(self, start: float, length: float | None) -> None:
        assert self._video
        with Sound(self._video.path, length, self._beat) as sound:
            for (piece,) in sound.pieces(start):
                self._lap("decode")
                silent = not piece.any()
                header = {"samples": len(piece), "silent": silent}
                self._send(header, b"" if silent else piece.view(np.uint8).data)
                self._lap("send")
            self._lap("decode")
            self._send({"ended": sound.damage, "spent": self._spent})
        self._spent.clear()

    def _lap(self, stage: str) -> None:
        """Add the processor time since the last lap to that of a stage."""
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
        """Send a sign of life if there was none for a while."""
        if time.monotonic() - self._last > _SECONDS_BETWEEN_BEATS:
            self._send({})

    def _send(self, header: dict[str, Any], *payloads: bytes | memoryview) -> None:
        for data in (encode_header(header), *payloads):
            unsent = memoryview(data)
            while unsent:
                unsent = unsent[os.write(self._output, unsent) :]
        self._last = time.monotonic()


def _read_requests(lines: "queue.SimpleQueue[bytes]") -> None:
    """Queue the parent's requests; exit when it ends, whatever the decoder is busy with."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def main(
    open_screen_reader: Callable[[], ScreenReader] | None = None,
    read_subtitles: ReadSubtitles | None = None,
) -> None:
    """Serve the parent on stdin and stdout."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # they are the parent's to act on
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing else may write between the messages
    capture_messages()
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(lines,), daemon=True).start()
    server = _Server(output, open_screen_reader, read_subtitles)
    Image.preinit()  # loads the JPEG plugin now, not with the first thumbnail
    while True:
        server.answer(json.loads(lines.get()))


if __name__ == "__main__":
    main()
