"""Open media files, and nothing but media files, through FFmpeg."""

import mmap
import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from framefind.errors import NotAVideoError, StoreError, UsageError, VideoError
from framefind.files import objects
from framefind.video.bucket_file import BucketFile


def file_size(path: str) -> int:
    """Return the size in bytes of a file that may be opened.

    Raises NotAVideoError for what is no plain file (a pipe would hang), and VideoError for what
    cannot be read.
    """
    try:
        info = Path(path).stat()
    except (OSError, ValueError) as error:
        raise VideoError(f"{path}: {explain_error(error)}") from None
    if not stat.S_ISREG(info.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(info.st_mode), "a device")
        raise NotAVideoError(f"{path}: {kind}, not a file")
    if not info.st_size:
        raise unreadable(path, "the file is empty")
    return info.st_size


def open_remote(uri: str) -> BucketFile:
    """Return an object to open. Raises NotAVideoError, VideoError or StoreError."""
    file = objects.find_object(uri)
    if file is None:
        raise NotAVideoError(f"{uri}: a folder, not a file")
    if not file.size:
        raise unreadable(uri, "the file is empty")
    return BucketFile(file)


def size_change(path: str, size: int) -> str | None:
    """Return how a file has changed since it had that size, in words; None if it has not."""
    try:
        if objects.is_remote(path):
            file = objects.find_object(path)
            now = file.size if file else size
        else:
            now = Path(path).stat().st_size
    except (OSError, StoreError):  # nothing is known about it now
        return None
    if now == size:
        return None
    return f"the file {'grew' if now > size else 'shrank'} while it was read"


def find_hwaccel(decoder: str) -> HWAccel | None:
    """Return PyAV's setting for the device `decoder`; None for the processor, `auto` or `cpu`.

    Raises UsageError for a device that this PyAV does not know.
    """
    if decoder in ("auto", "cpu"):
        return None
    devices = hwdevices_available()
    if decoder not in devices:
        raise UsageError(f"decoder {decoder!r}: use auto, cpu or one of {', '.join(devices)}")
    return HWAccel(decoder, allow_software_fallback=False)


def open_container(
    path: str, size: int, hwaccel: HWAccel | None = None, file: BucketFile | None = None
) -> InputContainer:
    """Open the first `size` bytes of a file with a demuxer that is safe, and no other file with it.

    An object in a store is read through `file`. Raises NotAVideoError or VideoError, and whatever
    PyAV raises where `hwaccel` is not available.
    """
    if file is None and objects.is_remote(path):
        file = open_remote(path)
    # A file that grows is read up to the size that it had when it was opened.
    subfile = f"subfile,,start,0,end,{size},,:file:{path}"
    source = file or (subfile if size < _MAX_SUBFILE_BYTES else Beginning(path, size))
    if hwaccel:
        return _opened(source, hwaccel)
    try:
        container = _opened(source)
    except (av.FFmpegError, ValueError, OSError):
        return _open_again(path, source)
    if container.format.name == "mjpeg" and not _begins_with_jpeg(path, file):
        container.close()
        raise NotAVideoError(f"{path}: pictures inside another file, not a video")
    return container


def _begins_with_jpeg(path: str, file: BucketFile | None) -> bool:
    """Return whether a file begins with a JPEG, as Motion JPEG does.

    FFmpeg also takes archives, slides and mail for it, if they hold several.
    """
    if file:
        return file.reader.at(0, 2) == _JPEG
    with Path(path).open("rb") as beginning:
        return beginning.read(2) == _JPEG


class Beginning:
    """A file of which `av.open` reads the first `size` bytes."""

    def __init__(self, path: str, size: int) -> None:
        self.name = path  # FFmpeg looks at the suffix
        self.size = size
        self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115

    def rewind(self) -> "Beginning":
        """Return the same file, ready to be opened once more."""
        self._file.seek(0)
        return self

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes from here on."""
        return self._file.read(max(0, min(size, self.size - self._file.tell()))) or b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset from the beginning, from here or from the end; return where that is."""
        return self._file.seek(*((self.size + offset, 0) if whence == 2 else (offset, whence)))

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._file.tell()


Source = str | BucketFile | Beginning
"""What `av.open` may be given: a URL of FFmpeg's, an object, or the beginning of a file."""


def _opened(source: Source, hwaccel: HWAccel | None = None) -> InputContainer:
    options = {"format_whitelist": _demuxers(), "protocol_whitelist": "subfile,file"}
    if not isinstance(source, str):
        source = source.rewind()
        options["protocol_whitelist"] = "none"
    container = av.open(
        source, "r", metadata_errors="replace", container_options=options, hwaccel=hwaccel
    )
    assert isinstance(container, InputContainer)
    return container


def _open_again(path: str, source: Source) -> InputContainer:
    """Open a file that failed once more, for FFmpeg's own error message."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture():
            return _opened(source)
    except (av.FFmpegError, ValueError, OSError) as error:
        words = explain_error(error)
        if words.startswith("Format not on whitelist"):
            raise NotAVideoError(f"{path}: a still picture, text or a playlist") from None
        raise unreadable(path, words) from None
    finally:
        av.logging.set_level(level)


def explain_error(error: Exception) -> str:
    """Return what went wrong in users' words and in FFmpeg's or the system's, without the path."""
    log = getattr(error, "log", None)
    text = log[2] if log else getattr(error, "strerror", None) or str(error)
    words = str(text).strip().rstrip(".!") or type(error).__name__
    meaning = next((meaning for phrase, meaning in _MEANINGS.items() if phrase in words), None)
    return f"{meaning} ({words})" if meaning else words


def unreadable(path: str, words: str, container: InputContainer | None = None) -> VideoError:
    """Return the error for a file that is unreadable: by its name, a video that fails or none.

    A `container` that was opened is a video whatever its name, unless its format has no header.
    """
    suffix = Path(path).suffix.lower()
    is_guess = container is None or container.format.name in _GUESSED_FORMATS
    named = suffix in _SUFFIXES or (container and suffix[1:] in container.format.extensions)
    kind = NotAVideoError if is_guess and not named else VideoError
    return kind(f"{path}: {words}")


def choose_stream(path: str, container: InputContainer) -> VideoStream:
    """Return the best video stream that is no cover. Raises NotAVideoError or VideoError."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & covers]
    is_stray = container.format.name == "cdg" and not path.lower().endswith(".cdg")
    if not streams or is_stray:
        raise NotAVideoError(f"{path}: it holds no video")
    best = container.streams.best("video")
    stream = next((s for s in streams if best and s.index == best.index), streams[0])
    if stream.codec_context is None:
        words = "FFmpeg has no decoder for its codec; convert it with the program that made it"
        raise unreadable(path, words, container)
    return stream


def read_packets(
    packets: "Callable[[], Iterator[Packet[VideoStream]]]",
    fail: Callable[[Exception], None],
    begins: Callable[[], None],
) -> "Iterator[Packet[VideoStream]]":
    """Yield all packets of a stream; go on after errors, up to `_MAX_FAILURES` in a row.

    `packets` reads on from where the container stands. `fail` is called with every error, and
    `begins` where another stream begins in the middle of the file.
    """
    failures = 0
    while failures < _MAX_FAILURES:
        try:
            for packet in packets():
                failures = 0
                yield packet
            return
        except IndexError:  # of a stream that PyAV did not find when it opened the file
            begins()
            failures += 1
        except (av.FFmpegError, ValueError) as error:
            fail(error)
            failures += 1


def is_still_format(container: InputContainer) -> bool:
    """Return whether files of this format may hold a still picture as well as a video."""
    if _STILL_FORMATS & set(container.format.name.split(",")):
        return True
    return container.metadata.get("major_brand", "").strip() in _STILL_BRANDS


def is_seekable(path: str, container: InputContainer, stream: VideoStream) -> bool:
    """Return whether a frame has the same time and pixels wherever reading begins."""
    if stream.codec_context.pix_fmt == "pal8":  # the palette comes with the first packet only
        return False
    names = set(container.format.name.split(","))
    if "matroska" in names:
        return objects.is_remote(path) or not _is_joined(path)
    return "mov" in names and not _has_breaks(path, stream)


def _has_breaks(path: str, stream: VideoStream) -> bool:
    """Return whether the clock of an MP4 restarts or jumps between two of its fragments."""
    listed = stream.index_entries
    if len(listed) <= stream.frames or not (stream.frames == 0 or _has_fragments(path)):
        return False
    max_step = _MAX_STEP_SECONDS / (stream.time_base or 1)
    steps = pairwise(listed[at].timestamp for at in range(len(listed)))
    return any(not 0 <= later - earlier <= max_step for earlier, later in steps)


def _has_fragments(path: str) -> bool:
    """Return whether an MP4 comes in fragments, as far as its first boxes show."""
    if objects.is_remote(path):
        return False
    with Path(path).open("rb") as file:
        at = 0
        for _ in range(_MAX_BOXES):
            file.seek(at)
            head = file.read(16)
            if len(head) < 8 or head[4:8] == b"moof":
                return len(head) >= 8
            size = int.from_bytes(head[:4], "big")
            at += int.from_bytes(head[8:], "big") if size == 1 else size
            if size == 0:
                return False
    return False


def _is_joined(path: str) -> bool:
    """Return whether a Matroska file is several, one after the other."""
    with Path(path).open("rb") as file:
        head = file.read(_HEAD_BYTES)
        at = head.find(_SEGMENT)
        if not head.startswith(_EBML) or at < 0:
            return False
        at += len(_SEGMENT)
        width = 9 - head[at].bit_length() if head[at] else 8
        size = int.from_bytes(head[at : at + width], "big") & ((1 << 7 * width) - 1)
        if size < (1 << 7 * width) - 1:
            file.seek(at + width + size)
            return file.read(len(_EBML)) == _EBML
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return bool(_ANOTHER.search(data, at))


@cache
def _demuxers() -> str:
    """Return the names of FFmpeg's demuxers that are not refused."""
    refused = {name for name in av.formats_available if name.endswith("_pipe")} | _REFUSED
    return ",".join(sorted(name for name in av.formats_available if name not in refused))


_MEANINGS = {
    "moov atom not found": "the file is incomplete or damaged: its index, moov, is missing",
    "EBML header parsing failed": "the file is incomplete or damaged: its header is unreadable",
    "Invalid data found": "the file is damaged, or is not what its name says",
    "End of file": "the file is incomplete: it ends too early",
    "Cannot allocate memory": "memory ran out, or the file claims absurd sizes",
    "Function not implemented": "the file uses a feature that this FFmpeg lacks",
    "Not yet implemented in FFmpeg": "the file uses a feature that this FFmpeg lacks",
    "Decoder not found": "this FFmpeg has no decoder for it",
    "Input/output error": "the file cannot be read: the disk or the network fails",
    "Stale file handle": "the file cannot be read: the network share has changed",
    "Resource temporarily unavailable": "it cannot be read now: try again",
}
"""What phrases of FFmpeg and of the system mean to users."""

_MAX_SUBFILE_BYTES = 2**31  # of a larger file, FFmpeg's subfile protocol fails to seek
_MAX_STEP_SECONDS = 1800  # from one frame to the next; a longer step is a jump of the clock
_MAX_FAILURES = 8  # to read, in a row, before the rest of a file is given up
_MAX_BOXES = 64  # of an MP4, among which its first fragment is looked for
_HEAD_BYTES = 4096  # in which Matroska's first elements lie
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_ANOTHER = re.compile(re.escape(_EBML) + rb".{1,8}?\x42\x86", re.DOTALL)
_STILL_FORMATS = {"gif", "apng", "jpegxl_anim", "mjpeg", "mjpeg_2000", "iff"}
_JPEG = b"\xff\xd8"
_GUESSED_FORMATS = {
    *("mpeg", "mpegts", "mpegvideo", "m4v", "h261", "h263", "h264", "hevc", "vvc", "mjpeg"),
    *("ingenient", "cdg", "avs2", "avs3", "cavsvideo", "dirac", "vc1", "obu"),
}
"""Formats that have no header of their own: FFmpeg finds them in programs and texts, too."""
_STILL_BRANDS = {"avif", "heic", "heix", "mif1", "miaf"}
_SUFFIXES = {
    *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".flv", ".ivf", ".m2ts", ".m2v", ".m4v"),
    *(".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mxf", ".nut", ".ogm", ".ogv", ".rm", ".rmvb"),
    *(".vob", ".webm", ".wmv", ".wtv"),
}
_REFUSED = {
    # still pictures and text
    *("image2", "image2pipe", "ico", "fits", "tty", "bin", "xbin", "idf", "adf", "alias_pix"),
    "brender_pix",
    # playlists and others that open further files or addresses
    *("concat", "hls", "dash", "webm_dash_manifest", "sdp", "rtp", "rtsp", "sap", "vobsub"),
    *("ffmetadata", "lavfi"),
    # demuxers that take any data for pixels
    *("rawvideo", "v210", "v210x", "bitpacked", "data"),
    # devices
    *("alsa", "android_camera", "avfoundation", "decklink", "dshow", "fbdev", "gdigrab", "jack"),
    *("iec61883", "kmsgrab", "libcdio", "libdc1394", "openal", "oss", "pulse", "sndio", "vfwcap"),
    *("x11grab", "xcbgrab", "video4linux2,v4l2", "video4linux2", "v4l2"),
}
