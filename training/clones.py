"""Pictures straight from the objects of cloned git repositories: nothing is checked out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow.parquet as pq
import pygit2
from PIL import Image

from framefind.errors import FramefindError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
Items = Iterator[tuple[list[str], bytes | Image.Image]]  # texts, and a picture or its file


@dataclass(frozen=True)
class Roots:
    """Folders that are read."""

    clones: Path  # owner+name/repo, bare or not
    shards: Path  # the sample, in Parquet files
    wordnet: Path  # index.noun and data.noun


class Repository:
    """Files of one commit of a local clone."""

    def __init__(self, roots: Roots, name: str, commit: str) -> None:
        self.name = name
        folder = roots.clones / name.replace("/", "+") / "repo"
        try:
            self.git = pygit2.Repository(str(folder))
            self.tree = self.git.revparse_single(commit).tree
        except KeyError as error:
            get = f"git -C {folder} fetch https://github.com/{name} {commit}"
            raise FramefindError(f"the clone of {name} lacks a commit: {get}") from error
        except pygit2.GitError as error:
            raise FramefindError(f"no clone of {name} in {folder}: see `make.py --list`") from error

    @cached_property
    def blobs(self) -> dict[str, pygit2.Oid]:
        files = pygit2.Index()
        files.read_tree(self.tree)
        return {file.path: file.id for file in files}

    def pictures(self, under: str = "") -> list[str]:
        return [p for p in self.blobs if p.startswith(under) and p.lower().endswith(SUFFIXES)]

    def read(self, path: str) -> bytes:
        return self.git[self.blobs[path]].data

    def stream(self, chosen: Iterable[tuple[list[str], str]]) -> Items:
        """Yield texts and bytes of texts and paths; tell how many of them the clone lacks."""
        lacking = 0
        for texts, path in chosen:
            if path in self.blobs and self.blobs[path] in self.git:
                yield texts, self.read(path)
            else:
                lacking += 1
        if lacking:
            print(f"{self.name}: {lacking} files are named, but not in the clone", flush=True)


def read_shards(roots: Roots, sources: set[str], split: str) -> Items:
    """Yield rows of the Parquet sample."""
    for file in sorted(roots.shards.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(512):
            for row in batch.to_pylist():
                if row["source"] in sources and row["split"] == split:
                    yield row["texts"], row["image"]
