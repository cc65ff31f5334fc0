"""Where files lie: on a drive of this computer, or far away, where changes come without events."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

_FAR = re.compile(
    "nfs|cifs|smb|afp|webdav|davfs|9p|virtiofs|vboxsf|prl_fs|drvfs|ceph|gluster|lustre|fuse"
)
"""File systems, by how their names begin, on which others write unseen, or that tell no changes."""

_NEAR = {"fuseblk"}  # NTFS and exFAT on a drive of this computer
_ESCAPE = re.compile(r"\\(\d{3})")
_DRIVE_REMOTE = 4  # of Windows


def is_far(path: str) -> bool:
    """Return whether changes at a real path may come without events, as on network drives."""
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(path)[0]
        is_share = drive.startswith("\\\\")
        return is_share or ctypes.windll.kernel32.GetDriveTypeW(f"{drive}\\") == _DRIVE_REMOTE
    kind = find_kind(path, _list_mounts())
    return _FAR.match(kind) is not None and kind not in _NEAR


def find_kind(path: str, mounts: Iterator[tuple[str, str]]) -> str:
    """Return the kind of the file system that a path is on; of mounts in one place, the last."""
    place = ""
    kind = ""
    for mount, name in mounts:
        if len(mount) >= len(place) and f"{path}/".startswith(f"{mount.rstrip('/')}/"):
            place = mount
            kind = name
    return kind


def parse_mountinfo(text: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the file system of each mount, as Linux lists them."""
    for line in text.splitlines():
        fields, _, filesystem = line.partition(" - ")
        place = fields.split(" ")[4]
        yield _ESCAPE.sub(lambda match: chr(int(match[1], 8)), place), filesystem.split(" ")[0]


def parse_mount(text: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the file system of each mount, as macOS prints them."""
    for match in re.finditer(r"^.* on (/.*) \((\w+)", text, re.MULTILINE):
        yield match[1], match[2]


def _list_mounts() -> Iterator[tuple[str, str]]:
    try:
        if sys.platform == "linux":
            with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
                return parse_mountinfo(file.read())
        printed = subprocess.run(["mount"], capture_output=True, text=True, check=False)
        return parse_mount(printed.stdout)
    except OSError:
        return iter(())
