"""Where the pictures come from and which texts belong to them.

A source is a generator of (texts, picture bytes). Most read a public git repository that was
cloned (bare is enough) under one folder, straight from its objects: nothing is checked out.
"""

import csv
import gzip
import io
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import words

Item = tuple[list[str], bytes]
_NOUN = re.compile("[a-z][a-z0-9]*([ -][a-z0-9]+){0,2}")
_WORD = re.compile("(?<=, )[a-z]{3,}(?=,)")


@dataclass(frozen=True)
class Roots:
    """Folders: `mirror` holds `owner+name/repo` clones, `shards` the Parquet sample."""

    mirror: Path
    shards: Path


class Repository:
    """Files of one commit of a local clone."""

    def __init__(self, roots: Roots, name: str, commit: str = "HEAD") -> None:
        folder = roots.mirror / name.replace("/", "+") / "repo"
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

    def stream(self, paths: Iterable[tuple[list[str], str]]) -> Iterator[Item]:
        """Pairs of texts and bytes, through one `git cat-file` process."""
        command = ["git", "-C", str(self.git), "cat-file", "--batch"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for texts, path in paths:
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


def shards(roots: Roots, sources: set[str], splits: set[str]) -> Iterator[Item]:
    """Rows of the Parquet sample."""
    for file in sorted(roots.shards.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(512):
            for row in batch.to_pylist():
                if row["source"] in sources and row["split"] in splits:
                    yield row["texts"], row["image"]


def by_folder(repository: Repository, texts: dict[str, list[str]]) -> Iterator[Item]:
    """A repository whose folders are classes."""
    chosen = [(texts.get(Path(p).parent.name), p) for p in repository.pictures()]
    return repository.stream((names, path) for names, path in chosen if names)


def flickr8k(roots: Roots) -> Iterator[Item]:
    return shards(roots, {"flickr8k"}, {"train", "validation"})


def coco(roots: Roots) -> Iterator[Item]:
    """40,000 pictures of COCO's training set with one of their captions each."""
    repository = Repository(roots, "Mike0429/COMP5329DeepLearningA2_ViT")
    tables = (repository.read(f"{part}.csv").decode() for part in ("train", "test"))
    rows = (row for table in tables for row in csv.DictReader(io.StringIO(table)))
    return repository.stream(([row["Caption"]], f"data/{row['ImageID']}") for row in rows)


def stock(roots: Roots) -> Iterator[Item]:
    """Agencies' photos of people, mostly, with title and caption; a table's row is its number."""
    repository = Repository(roots, "MSEDdataset/MSED")
    chosen = []
    for part in ("train", "dev", "test"):
        table = io.StringIO(repository.read(f"{part}/{part}.csv").decode("utf-8-sig"))
        for number, row in enumerate(csv.DictReader(table), 1):
            texts = list(dict.fromkeys(filter(None, (row["Caption"], row["Title"]))))
            chosen.append((texts, f"{part}/images/{number}.jpg"))
    return repository.stream(row for row in chosen if row[0])


def small(roots: Roots) -> Iterator[Item]:
    """What the sample holds in full."""
    names = {"imagenet_samples", "sun8", "scene7", "weather", "flowers", "sports6"}
    return shards(roots, names, {"train"})


def wordnet(roots: Roots) -> dict[str, list[str]]:
    table = Repository(roots, "seshuad/IMagenet").read("tiny-imagenet-200/words.txt").decode()
    rows = (line.rstrip("\r").split("\t") for line in table.split("\n") if line)
    return {wnid: words.names(wnid, synonyms.split(", ")) for wnid, synonyms in rows}


def nouns(roots: Roots) -> list[list[str]]:
    """The names of up to three words of each of WordNet's 82,114 classes of things."""
    table = Repository(roots, "seshuad/IMagenet").read("tiny-imagenet-200/words.txt").decode()
    rows = (line.rstrip("\r").split("\t")[1].split(", ") for line in table.split("\n") if line)
    kept = ([name for name in row if _NOUN.fullmatch(name)] for row in rows)
    return [row for row in kept if row]


def kin(roots: Roots) -> dict[str, list[str]]:
    """Nouns of one word, and others for the same thing, for what it is one of (up to three of
    WordNet's steps, from "dog" to "animal") and for kinds of it (one step)."""
    repository = Repository(roots, "niharikajainn/imagenet-ancestors-descendants")
    rows = (line.split("\t") for line in repository.read("words.txt").decode().splitlines())
    named = {wnid: _WORD.findall(f", {names},") for wnid, names in rows}
    above, below = defaultdict(set), defaultdict(set)
    for line in repository.read("is_a.txt").decode().splitlines():
        broader, narrower = line.split()
        above[narrower].add(broader)
        below[broader].add(narrower)
    found = defaultdict(set)
    for wnid, names in named.items():
        level = {wnid}
        near = level | below[wnid]
        for _ in range(3):
            level = {broader for one in level for broader in above[one]}
            near |= level
        for name in names:
            found[name].update(other for one in near for other in named[one] if other != name)
    return {name: sorted(others) for name, others in found.items()}


def tiny_imagenet(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "seshuad/IMagenet")
    names = wordnet(roots)
    train = [p for p in repository.pictures() if "/train/" in p]
    chosen = [(names[Path(p).name.split("_")[0]], p) for p in train]
    notes = repository.read("tiny-imagenet-200/val/val_annotations.txt").decode()
    for line in filter(None, notes.split("\n")):
        file, wnid = line.split("\t")[:2]
        chosen.append((names[wnid], f"tiny-imagenet-200/val/images/{file}"))
    return repository.stream(chosen)


def mini_imagenet(roots: Roots) -> Iterator[Item]:
    return by_folder(Repository(roots, "Deo0330/split_minidataset"), wordnet(roots))


def imagenette(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "thunderInfy/imagenette")
    names = wordnet(roots)
    return repository.stream((names[Path(p).parent.name], p) for p in repository.pictures())


def sports100(roots: Roots) -> Iterator[Item]:
    """Train and validation folders; the repository's own augmented copies are left out."""
    repository = Repository(roots, "FundyLord/Sports-Image-Classification", "206ed6c3")
    paths = [p for p in repository.pictures() if "/test/" not in p and "aug_" not in p]
    paths = [p for p in paths if p.startswith("sports-classification/")]
    return repository.stream((words.sport(Path(p).parent.name), p) for p in paths)


def sports_test(roots: Roots) -> Iterator[Item]:
    return shards(roots, {"sports100"}, {"test"})


def caltech101(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "MachineLearning2020/Homework2-Caltech101")
    paths = [p for p in repository.pictures("101_ObjectCategories/") if "BACKGROUND" not in p]
    return repository.stream((words.caltech(Path(p).parent.name), p) for p in paths)


def food101(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "Gandolier/genai_food101_repo")
    paths = [p for p in repository.pictures("data/") if "/validation/" not in p]
    return repository.stream(([Path(p).parent.name.replace("_", " ")], p) for p in paths)


def scenes(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "ndb796/Scene-Classification-Dataset")
    root = "train-scene classification"
    table = csv.DictReader(io.StringIO(repository.read(f"{root}/train.csv").decode()))
    rows = [(words.SCENES[int(r["label"])], f"{root}/train/{r['image_name']}") for r in table]
    return repository.stream(rows)


def animals105(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "savannahfung/animal-image-classification")
    common = json.loads(repository.read("dataset/translation.json"))
    texts = {folder: words.animal(name) for folder, name in common.items()}
    return by_folder(repository, texts)


def popular_animals(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "InputBlackBoxOutput/popular-animals-dataset")
    paths = [p for p in repository.pictures() if "_sample" not in p and "/" in p]
    return repository.stream(([Path(p).parent.name], p) for p in paths)


def places(roots: Roots) -> Iterator[Item]:
    """MiniPlaces: a hundred kinds of places, 300 training pictures and 100 others of each."""
    commit = "f35c219885f163ca00a045236dd44be489598837"
    repository = Repository(roots, "rathull/CTFs", commit)
    rows = (line.split() for line in repository.read("data/train.txt").decode().splitlines())
    folders = {number: "/".join(path.split("/")[2:-1]) for path, number in rows}
    lines = (repository.read(f"data/{part}.txt").decode() for part in ("train", "val"))
    rows = (line.split() for part in lines for line in part.splitlines())
    chosen = [(words.place(folders[number]), f"data/images/{path}") for path, number in rows]
    kept = (row for row in chosen if "/val/" in row[1] or int(Path(row[1]).stem) <= 300)
    return repository.stream(kept)


def actions(roots: Roots) -> Iterator[Item]:
    name = "UmaimaKhan01/RESNET-and-VIT-performance-on-Human-Action-Recognition-"
    return by_folder(Repository(roots, name), words.ACTIONS)


def professions(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "ninja3697/Profession-Detection-System")
    return by_folder(repository, words.PROFESSIONS)


def instruments(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "aizadaaskar/dl-homework")
    folders = {Path(path).parent.name for path in repository.pictures()} - {""}
    return by_folder(repository, {folder: words.instrument(folder) for folder in folders})


def clothing(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "alexeygrigorev/clothing-dataset")
    table = csv.DictReader(io.StringIO(repository.read("images.csv").decode()))
    useless = {"Not sure", "Other", "Skip"}
    rows = [
        (words.CLOTHES.get(r["label"], [r["label"].lower()]), f"images/{r['image']}.jpg")
        for r in table
        if r["label"] not in useless
    ]
    return repository.stream(rows)


def pacs(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "MachineLearning2020/Homework3-PACS")
    styles = {"art_painting": "painting", "cartoon": "cartoon", "photo": "photo"}
    styles["sketch"] = "sketch"
    chosen = []
    for path in repository.pictures("PACS/"):
        style, thing = styles[path.split("/")[1]], path.split("/")[2]
        chosen.append(([f"a {style} of a {thing}", thing, f"{thing}, {style}"], path))
    return repository.stream(chosen)


def products(roots: Roots) -> Iterator[Item]:
    """Shop photos of clothes: kind, colour and wearer, from the description and title."""
    repository = Repository(roots, "tanmay0401/multimodal-recommendation-engine")
    table = pq.read_table(io.BytesIO(repository.read("data/products.parquet"))).to_pylist()
    chosen = []
    for row in table:
        parts = [p.strip().lower() for p in row["description"].split(" - ")]
        if len(parts) < 4:
            continue
        kind, colour = parts[2], parts[3]
        texts = [f"{colour} {kind}", kind]
        title = row["title"].lower().split()
        texts += [f"{who} wearing {kind}" for who in ("women", "men") if who in title]
        chosen.append((texts, f"data/images/{row['product_id']}.jpg"))
    return repository.stream(chosen)


# name: (generator, stored size in pixels, kind, share of a training batch)
TRAIN = {
    "flickr8k": (flickr8k, 128, "caption", 0.20),
    "coco": (coco, 128, "caption", 0.85),
    "stock": (stock, 128, "caption", 0.20),
    "small": (small, 112, "label", 0.02),
    "sports100": (sports100, 128, "label", 0.14),
    "caltech101": (caltech101, 128, "label", 0.08),
    "imagenette": (imagenette, 128, "label", 0.04),
    "scenes": (scenes, 112, "label", 0.05),
    "places": (places, 128, "label", 0.3),
    "actions": (actions, 128, "label", 0.1),
    "professions": (professions, 128, "label", 0.08),
    "instruments": (instruments, 128, "label", 0.04),
    "animals105": (animals105, 128, "label", 0.05),
    "popular_animals": (popular_animals, 128, "label", 0.02),
    "clothing": (clothing, 128, "label", 0.015),
    "pacs": (pacs, 128, "caption", 0.02),
    "mini_imagenet": (mini_imagenet, 84, "label", 0.2),
    "tiny_imagenet": (tiny_imagenet, 64, "label", 0.1),
    "food101": (food101, 64, "label", 0.04),
    "products": (products, 64, "caption", 0.015),
}

# Pictures never trained on.
TEST = {
    "flickr8k-test": (lambda r: shards(r, {"flickr8k"}, {"test"}), 128, "caption"),
    "sports100-test": (sports_test, 112, "label"),
    "caltech101-test": (lambda r: shards(r, {"caltech101"}, {"test"}), 128, "label"),
    "coco-held-out": (lambda r: shards(r, {"coco"}, {"train"}), 128, "caption"),
}


def plain(text: str) -> str:
    """Letters and digits only, to compare captions."""
    return re.sub("[^a-z0-9]", "", text.lower())


def sentences(roots: Roots) -> list[str]:
    """Captions without pictures, for the text tower: Multi30k (train only) and MSVD (train).

    Multi30k's pictures are a superset of Flickr8k's, so the test pictures' captions are left out.
    """
    multi30k = Repository(roots, "multi30k/dataset")
    lines: list[str] = []
    for number in range(1, 6):
        raw = gzip.decompress(multi30k.read(f"data/task2/raw/train.{number}.en.gz"))
        lines += raw.decode().split("\n")
    msvd = Repository(roots, "vijayvee/video-captioning")
    raw = msvd.read("text_files/sents_train_lc_nopunc.txt").decode(errors="replace")
    lines += [line.split("\t")[-1] for line in raw.split("\n")]
    cleaned = {re.sub(r"\s+", " ", line).strip(" .").replace(" ,", ",") for line in lines}
    tested = shards(roots, {"flickr8k"}, {"test"})
    taboo = {plain(text) for texts, _ in tested for text in texts}
    return sorted(line for line in cleaned if 3 < len(line) < 160 and plain(line) not in taboo)
