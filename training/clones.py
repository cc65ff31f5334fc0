"""Pictures straight from the objects of cloned git repositories: nothing is checked out."""

import io
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

Item = tuple[list[str], bytes]  # texts, and a picture as it was stored


@dataclass(frozen=True)
class Roots:
    """Folders: `clones` holds `owner+name/repo`, bare or not; `shards` the Parquet sample."""

    clones: Path
    shards: Path


class Repository:
    """Files of one commit of a local clone."""

    def __init__(self, roots: Roots, name: str, commit: str) -> None:
        folder = roots.clones / name.replace("/", "+") / "repo"
        self.git = folder / ".git" if (folder / ".git").is_dir() else folder
        self.commit = commit
        rows = self._run("ls-tree", "-rz", commit).decode(errors="surrogateescape").split("\0")
        parts = (row.split(maxsplit=3) for row in rows if row)
        self.blobs = {path: blob for _, _, blob, path in parts}  # by path

    def _run(self, *arguments: str) -> bytes:
        command = ["git", "-C", str(self.git), *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def pictures(self, under: str = "") -> list[str]:
        suffixes = (".jpg", ".jpeg", ".png", ".webp")
        return [p for p in self.blobs if p.startswith(under) and p.lower().endswith(suffixes)]

    def read(self, path: str) -> bytes:
        return self._run("show", f"{self.commit}:{path}")

    def stream(self, chosen: Iterable[tuple[list[str], str]]) -> Iterator[Item]:
        """Yield texts and bytes of texts and paths, through one `git cat-file` process."""
        command = ["git", "-C", str(self.git), "cat-file", "--batch"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for texts, path in chosen:
                if path not in self.blobs:
                    continue
                process.stdin.write(f"{self.blobs[path]}\n".encode())
                process.stdin.flush()
                header = process.stdout.readline().split()
                if header[-1] == b"missing":
                    continue
                data = process.stdout.read(int(header[-1]))
                process.stdout.read(1)
                yield texts, data
            process.stdin.close()


def read_shards(roots: Roots, sources: set[str], split: str) -> Iterator[Item]:
    """Yield rows of the Parquet sample."""
    for file in sorted(roots.shards.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(512):
            for row in batch.to_pylist():
                if row["source"] in sources and row["split"] == split:
                    yield row["texts"], row["image"]


def cut(picture: Image.Image, box: tuple[float, float, float, float]) -> bytes:
    """Return a part of a picture (left, top, right, bottom), as a bitmap."""
    left, top, right, bottom = map(round, box)
    bitmap = io.BytesIO()
    picture.convert("RGB").crop((left, top, right, bottom)).save(bitmap, "BMP")
    return bitmap.getvalue()
