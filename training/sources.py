"""Which pictures there are and which texts belong to them: `sources.json`, read here.

A source has pictures with captions, or sorted ones ("label"). Most are folders whose names are
classes (their texts are in `names.json`), or rows of a CSV file. The others have a reader below.
"""

import csv
import io
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from clones import Item, Repository, Roots, cut, read_shards
from pictures import load, outline
from PIL import Image

Chosen = Iterator[tuple[list[str], str]]  # texts and path

HERE = Path(__file__).parent
NAMES = json.loads((HERE / "names.json").read_text())
HELD_OUT_VIDEOS = 500
_VIDEO = re.compile("_(video[0-9]+)-shot")
_DRAWN = re.compile("illustration|vector|cartoon|logo|drawing|clip ?art|sketch")


@dataclass(frozen=True)
class Part:
    repository: str
    commit: str
    names: str = ""  # which table of `names.json` has the texts of a class; others are left out
    pattern: str = "([^/]*)/[^/]*$"  # of paths: its group is the class
    most: float = inf  # pictures of one class
    tables: tuple[str, ...] = ()  # CSV or JSON files
    columns: tuple[str, ...] = ()  # where the first row does not name them
    delimiter: str = ","
    path: str = ""  # of a row's picture; `folder` is the table's, `number` the row's from 1
    file: str = ""  # column of a path or an address whose end is `{file}` in `path`
    keep: str = ""  # pattern of the paths that are used
    texts: tuple[str, ...] = ()  # columns: captions, or the class
    edit: tuple[tuple[str, str], ...] = ()  # patterns in captions, and what stands for them
    split: str = "(?!)"  # pattern between captions in one column

    def choose(self, repository: Repository) -> Chosen:
        """Yield texts and path of each picture."""
        rows = self._read_tables(repository) if self.tables else self._read_folders(repository)
        count: Counter[str] = Counter()
        for texts, path in rows:
            if texts and re.search(self.keep, path) and count[texts[0]] < self.most:
                count[texts[0]] += 1
                yield texts, path

    def _name(self, label: str) -> list[str]:
        return NAMES[self.names].get(label, []) if self.names else [label.replace("_", " ")]

    def _read_folders(self, repository: Repository) -> Chosen:
        for path in repository.pictures():
            if match := re.search(self.pattern, path):
                yield self._name(match[1]), path

    def _read_tables(self, repository: Repository) -> Chosen:
        for table in self.tables:
            text = repository.read(table).decode("utf-8-sig")
            lines = csv.DictReader(
                io.StringIO(text), self.columns or None, delimiter=self.delimiter
            )
            rows = json.loads(text) if table.endswith(".json") else lines
            for number, row in enumerate(rows, 1):
                if self.file:
                    row["file"] = re.split(r"[/\\]", row[self.file])[-1]
                path = self.path.format(**row, number=number, folder=Path(table).parent)
                texts = [text for name in self.texts for text in self._read_captions(row[name])]
                yield self._name(texts[0]) if self.names else list(dict.fromkeys(texts)), path

    def _read_captions(self, text: str) -> list[str]:
        for pattern, other in self.edit:
            text = re.sub(pattern, other, text)
        return [part for part in re.split(self.split, text.strip()) if part]


def read_flickr8k(roots: Roots, images: Repository, test: bool = False) -> Iterator[Item]:
    """Yield Flickr8k at 224 pixels; the sample's picture alike names split and captions."""
    table = pq.read_table(roots.shards / "flickr8k.parquet").to_pylist()
    outlines = np.stack([outline(load(row["image"])) for row in table])
    for _, data in images.stream(([], path) for path in images.pictures("data/images")):
        row = table[int((outlines @ outline(load(data))).argmax())]
        if (row["split"] == "test") == test:
            yield row["texts"], data


def read_web(roots: Roots, pages: Repository) -> Iterator[Item]:
    """Yield pictures of the web with a short caption each, but for what is drawn."""
    paths = pages.pictures("data/0")
    listed = pages.stream(([path], str(Path(path).with_suffix(".json"))) for path in paths)
    facts = {path: json.loads(data) for (path,), data in listed}
    kept = [path for path, fact in facts.items() if not _DRAWN.search(fact["caption"])]
    for (path,), data in pages.stream(([path], path) for path in kept):
        fact = facts[path]
        picture = Image.open(io.BytesIO(data))  # on a white square
        scale = picture.width / max(fact["original_width"], fact["original_height"]) / 2
        x, y = picture.width / 2, picture.height / 2
        across, down = fact["original_width"] * scale, fact["original_height"] * scale
        yield [fact["caption"]], cut(picture, (x - across, y - down, x + across, y + down))


def read_frames(
    roots: Roots, tables: Repository, images: Repository, test: bool = False
) -> Iterator[Item]:
    """Yield frames of each shot of MSR-VTT's videos, with ten sentences on the video.

    500 of its test videos are held out: a frame of their first shot, with five sentences.
    """
    sentences = read_sentences(tables)
    shots: dict[str, str] = {}  # the first pair of frames of each
    for path in images.pictures("all_concat/"):
        shots.setdefault(path.split("/")[1], path)
    videos = defaultdict(list)  # in the order of the repository
    for shot, path in shots.items():
        videos[_VIDEO.findall(shot)[0]].append(path)
    from_test = [video for video, (first, *_) in videos.items() if "TestVideo" in first]
    held_out = dict.fromkeys(from_test[:HELD_OUT_VIDEOS])
    if test:
        chosen = [(sentences[video][:5], videos[video][0]) for video in held_out]
        yield from halve(images, chosen, 0)
        return
    rest = [video for video in videos if video not in held_out]
    chosen = [(sentences[video][:10], path) for video in rest for path in videos[video]]
    for half in (0, 1):
        yield from halve(images, chosen, half)


def read_sentences(tables: Repository) -> dict[str, list[str]]:
    """Return the sentences on each video of MSR-VTT, cleaned of faults of spelling."""
    sentences = defaultdict(list)
    for name in ("train_val_annotation", "test_videodatainfo.json"):
        archive = zipfile.ZipFile(io.BytesIO(tables.read(f"clean_process/{name}.zip")))
        file = next(n for n in archive.namelist() if re.fullmatch("[^/]*videodatainfo.json", n))
        for row in json.loads(archive.read(file))["sentences"]:
            sentences[row["video_id"]].append(row["caption"])
    return sentences


def halve(images: Repository, chosen: list[tuple[list[str], str]], half: int) -> Iterator[Item]:
    """Yield one of the two frames that each picture has side by side; a few have but one."""
    for texts, data in images.stream((list(dict.fromkeys(t)), path) for t, path in chosen):
        picture = Image.open(io.BytesIO(data))
        width, height = picture.size
        middle = width // 2 if width > 1.5 * height else width
        left, right = (0, middle) if half == 0 else (middle, width)
        if left < right:
            yield texts, cut(picture, (left, 0, right, height))


READERS = {"flickr8k": read_flickr8k, "frames": read_frames, "web": read_web}


@dataclass(frozen=True)
class Source:
    kind: str  # caption or label
    weight: float  # its part of a batch
    parts: tuple[Part, ...]
    reader: str = ""  # where the parts are no tables
    shards: tuple[str, ...] = ()  # sources of the Parquet sample that belong to it
    share: float = 1  # of its pictures that are used
    views: int = 1  # varied ones of each picture
    whole: float = 0  # how often the whole picture is added to them

    def read(self, roots: Roots, **options: bool) -> Iterator[Item]:
        """Yield the texts of each picture, and the picture."""
        opened = [Repository(roots, part.repository, part.commit) for part in self.parts]
        if self.reader:
            yield from READERS[self.reader](roots, *opened, **options)
            return
        for part, repository in zip(self.parts, opened, strict=True):
            yield from repository.stream(part.choose(repository))
        yield from read_shards(roots, set(self.shards), "train")


TRAIN = {
    name: Source(**row | {"parts": tuple(Part(**part) for part in row["parts"])})
    for name, row in json.loads((HERE / "sources.json").read_text()).items()
}

# Pictures that are never trained on.
TEST: dict[str, Callable[[Roots], Iterator[Item]]] = {
    "flickr8k-test": lambda roots: TRAIN["flickr8k"].read(roots, test=True),
    "sports100-test": lambda roots: read_shards(roots, {"sports100"}, "test"),
    "caltech101-test": lambda roots: read_shards(roots, {"caltech101"}, "test"),
    "coco-held-out": lambda roots: read_shards(roots, {"coco"}, "train"),
    "frames-held-out": lambda roots: TRAIN["frames"].read(roots, test=True),
}
