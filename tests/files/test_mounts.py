"""Where changes come without events: network drives and the like."""

import pytest

from framefind.files import mounts

LINUX = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
31 22 0:27 / /media/nas rw shared:9 - nfs4 nas:/films rw,vers=4.2
32 22 0:28 / /media/my\040disk rw - fuseblk /dev/sdb1 rw
33 31 0:29 / /media/nas/local rw - xfs /dev/sdc1 rw
34 22 0:30 / /home/me/remote rw - fuse.sshfs me@host: rw
"""
MACOS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only)
//me@nas/films on /Volumes/films (new) (smbfs, nodev, nosuid, mounted by me)
"""


@pytest.mark.parametrize(
    ("path", "kind", "far"),
    [
        ("/home/me/film.mp4", "ext4", False),
        ("/media/nas", "nfs4", True),
        ("/media/nas/a/b.mp4", "nfs4", True),
        ("/media/nasty/b.mp4", "ext4", False),
        ("/media/nas/local/b.mp4", "xfs", False),
        ("/media/my disk/b.mp4", "fuseblk", False),
        ("/home/me/remote/b.mp4", "fuse.sshfs", True),
    ],
)
def test_the_innermost_mount_counts(path, kind, far, monkeypatch):
    assert mounts.find_kind(path, mounts.parse_mountinfo(LINUX)) == kind
    monkeypatch.setattr(mounts, "_list_mounts", lambda: mounts.parse_mountinfo(LINUX))
    assert mounts.is_far(path) == far


def test_mounts_of_macos_are_read():
    assert mounts.find_kind("/Volumes/films (new)/a.mp4", mounts.parse_mount(MACOS)) == "smbfs"
    assert mounts.find_kind("/Users/me/a.mp4", mounts.parse_mount(MACOS)) == "apfs"


def test_a_folder_of_this_computer_is_near(tmp_path):
    assert not mounts.is_far(str(tmp_path))
