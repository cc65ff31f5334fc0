"""Which pictures there are and which texts belong to them: `sources.json`, read here."""

import csv
import io
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from clones import Items, Repository, Roots, read_shards
from pictures import load, outline

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

    def open(self, roots: Roots) -> Repository:
        return Repository(roots, self.repository, self.commit)

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


def read_flickr8k(roots: Roots, images: Repository, test: bool = False) -> Items:
    """Yield Flickr8k at 224 pixels; the sample's picture alike names split and captions."""
    table = pq.read_table(roots.shards / "flickr8k.parquet").to_pylist()
    outlines = np.stack([outline(load(row["image"])) for row in table])
    for _, data in images.stream(([], path) for path in images.pictures("data/images")):
        if picture := load(data):
            row = table[int((outlines @ outline(picture)).argmax())]
            if (row["split"] == "test") == test:
                yield row["texts"], data


def read_web(roots: Roots, pages: Repository) -> Items:
    """Yield pictures of the web with a short caption each, but for what is drawn."""
    paths = pages.pictures("data/0")
    listed = pages.stream(([path], str(Path(path).with_suffix(".json"))) for path in paths)
    facts = {path: json.loads(data) for (path,), data in listed}
    kept = [path for path, fact in facts.items() if not _DRAWN.search(fact["caption"])]
    for (path,), data in pages.stream(([path], path) for path in kept):
        fact = facts[path]
        if picture := load(data, reduced=False):  # on a white square
            width, height = fact["original_width"], fact["original_height"]
            scale = picture.width / max(width, height)
            left = (picture.width - scale * width) / 2
            top = (picture.height - scale * height) / 2
            box = (left, top, picture.width - left, picture.height - top)
            yield [fact["caption"]], picture.crop(box)


def read_frames(roots: Roots, tables: Repository, images: Repository, test: bool = False) -> Items:
    """Yield frames of each shot of MSR-VTT, with ten sentences; of test videos one, with five."""
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


def halve(images: Repository, chosen: list[tuple[list[str], str]], half: int) -> Items:
    """Yield one of the two frames that each picture has side by side; a few have but one."""
    for texts, data in images.stream((list(dict.fromkeys(t)), path) for t, path in chosen):
        if picture := load(data, reduced=False):
            width, height = picture.size
            middle = width // 2 if width > 1.5 * height else width
            left, right = (0, middle) if half == 0 else (middle, width)
            if left < right:
                yield texts, picture.crop((left, 0, right, height))


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

    def read(self, roots: Roots, **options: bool) -> Items:
        """Yield the texts of each picture, and the picture."""
        opened = [part.open(roots) for part in self.parts]
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

# Pictures that are never trained on: splits of the Parquet sample, and what readers hold out.
SPLITS = {"sports100-test": "test", "caltech101-test": "test", "coco-held-out": "train"}
HELD_OUT = {"flickr8k-test": "flickr8k", "frames-held-out": "frames"}


def read_test(name: str, roots: Roots) -> Items:
    if name in SPLITS:
        return read_shards(roots, {name.split("-")[0]}, SPLITS[name])
    return TRAIN[HELD_OUT[name]].read(roots, test=True)
