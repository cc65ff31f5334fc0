"""Pictures straight from the objects of cloned git repositories: nothing is checked out."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pygit2
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
        self.git = pygit2.Repository(str(roots.clones / name.replace("/", "+") / "repo"))
        files = pygit2.Index()
        files.read_tree(self.git.revparse_single(commit).tree)
        self.blobs = {file.path: file.id for file in files}

    def pictures(self, under: str = "") -> list[str]:
        suffixes = (".jpg", ".jpeg", ".png", ".webp")
        return [p for p in self.blobs if p.startswith(under) and p.lower().endswith(suffixes)]

    def read(self, path: str) -> bytes:
        return self.git[self.blobs[path]].data

    def stream(self, chosen: Iterable[tuple[list[str], str]]) -> Iterator[Item]:
        """Yield texts and bytes of texts and paths, but for what the clone lacks."""
        for texts, path in chosen:
            if path in self.blobs and self.blobs[path] in self.git:
                yield texts, self.read(path)


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
