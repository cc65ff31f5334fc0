"""Files on this computer: locks, and writes that survive a power cut."""

import atexit
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""What `flock` fails with on a file system that has no locks, such as some network shares."""


_unfinished: set[Path] = set()


class NoLocksError(OSError):
    """The file system has no locks."""


# Not filelock: some writers share a library's lock file while others exclude everybody; filelock
# has shared locks only as SQLite databases. Builders of indexes use the same function.
def lock(descriptor: int, *, exclusive: bool = True, wait: bool = False) -> None:
    """Lock an open file until its descriptor is closed, however the process ends.

    Raises BlockingIOError (another OSError on Windows) when another holds the file and `wait` is
    not set, and NoLocksError where the file system has no locks.
    """
    if sys.platform == "win32":
        import msvcrt
        import secrets

        # There are no shared locks: a shared one locks one byte of many, an exclusive one all.
        many = 1 << 20
        os.lseek(descriptor, 0 if exclusive else secrets.randbelow(many), os.SEEK_SET)
        how = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK
        msvcrt.locking(descriptor, how, many if exclusive else 1)
        return
    import fcntl

    how = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NoLocksError(error.errno, os.strerror(error.errno or 0)) from error
        raise


def sync(path: Path) -> None:
    """Flush a file, or a folder's list of files, to the disk, so that it survives a power cut."""
    if path.is_dir():
        if sys.platform == "win32":
            return  # folders cannot be opened there
        descriptor = os.open(path, os.O_RDONLY)
    else:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically, for good once this returns."""
    with replacing(path) as fresh:
        fresh.write_bytes(content)
    sync(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of `path` at the end.

    A crash or a power cut leaves the old or the new file, whole. What an exception or the end of
    the process leaves unfinished is removed.

    An OSError of writing names `path`, also where a library did not say which file it was.
    """
    fresh = path.with_name(f"{path.stem}.part{path.suffix}")
    _unfinished.add(fresh)
    try:
        yield fresh
        sync(fresh)
        fresh.replace(path)
    except OSError as error:
        if error.filename in (None, str(fresh)):
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        _unfinished.discard(fresh)


@atexit.register  # a server's threads do not see that the process ends
def remove_unfinished() -> None:
    """Remove what is being written: the process ends before it can be whole."""
    for fresh in [*_unfinished]:
        fresh.unlink(missing_ok=True)
