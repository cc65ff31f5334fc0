"""Which pictures there are and which texts belong to them.

A source is a generator of (texts, picture bytes), mostly of a public git repository.
"""

import csv
import gzip
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
from clones import Item, Repository, Roots, by_folder, cut, shards
from PIL import Image

import words

_NOUN = re.compile("[a-z][a-z0-9]*([ -][a-z0-9]+){0,2}")
_WORD = re.compile("(?<=, )[a-z]{3,}(?=,)")
WEB = "e059e1606aef04521e399c2b421438a46658a018"  # commit that has the pictures
_VIDEO = re.compile("_(video[0-9]+)-shot")
_DRAWN = re.compile("illustration|vector|cartoon|logo|drawing|clip ?art|sketch")


def flickr8k(roots: Roots) -> Iterator[Item]:
    return shards(roots, {"flickr8k"}, {"train", "validation"})


def coco(roots: Roots) -> Iterator[Item]:
    """42,000 pictures of COCO's training set with one of their captions each."""
    repository = Repository(roots, "Mike0429/COMP5329DeepLearningA2_ViT")
    tables = (repository.read(f"{part}.csv").decode() for part in ("train", "test"))
    rows = (row for table in tables for row in csv.DictReader(io.StringIO(table)))
    yield from repository.stream(([row["Caption"]], f"data/{row['ImageID']}") for row in rows)
    repository = Repository(roots, "Sarthak-Thareja/semantic-image-search")
    pairs = csv.reader(io.StringIO(repository.read("data/captions.csv").decode()))
    yield from repository.stream(([caption], f"data/images/{name}") for name, caption in pairs)


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


def web(roots: Roots) -> Iterator[Item]:
    """Pictures of the web with a short caption each, but for what is drawn."""
    repository = Repository(roots, "heon01px2020/csci1470-prismer-final-project", WEB)
    paths = repository.pictures("data/0")
    listed = repository.stream(([p], str(Path(p).with_suffix(".json"))) for p in paths)
    facts = {path: json.loads(data) for (path,), data in listed}
    kept = [path for path, fact in facts.items() if not _DRAWN.search(fact["caption"])]
    for (path,), data in repository.stream(([path], path) for path in kept):
        fact = facts[path]
        picture = Image.open(io.BytesIO(data))  # on a white square
        width, height = fact["original_width"], fact["original_height"]
        scale = picture.width / max(width, height) / 2
        x, y = picture.width / 2, picture.height / 2
        across, down = width * scale, height * scale
        yield [fact["caption"]], cut(picture, (x - across, y - down, x + across, y + down))


def pascal(roots: Roots) -> Iterator[Item]:
    """A thousand of PASCAL's photos with five captions each."""
    repository = Repository(roots, "hamzakpt/semantic-image-search")
    table = io.StringIO(repository.read("backend/dataset/labels.csv").decode())
    rows = [(r["text"], Path(r["img_url"]).name) for r in csv.DictReader(table)]
    return repository.stream(
        (re.split(r"\.\s+|\s{2,}", text.strip()), f"backend/dataset/images/{name}")
        for text, name in rows
    )


def pexels(roots: Roots) -> Iterator[Item]:
    """An agency's photos of Vietnam, mostly; what they are called is in their address."""
    repository = Repository(roots, "NguyenQuangHiep234/ChuyenDoiSo")
    rows = json.loads(repository.read("data/captions_clean.json"))
    chosen = []
    for row in rows:
        title = re.sub("-[0-9]+$", "", row["url"].rstrip("/").split("/")[-1]).replace("-", " ")
        chosen.append(([title], "data/processed/" + row["image"].split("\\")[-1]))
    return repository.stream(chosen)


def frames(roots: Roots, held_out: bool = False) -> Iterator[Item]:
    """Frames of each shot of MSR-VTT's videos, with ten of what people say of the video.

    500 of its test videos are kept back, with five of the sentences: a frame of their first shot.
    """
    cleaned = Repository(roots, "WingsBrokenAngel/MSR-VTT-DataCleaning")
    said = defaultdict(list)
    for name in ("train_val_annotation", "test_videodatainfo.json"):
        archive = zipfile.ZipFile(io.BytesIO(cleaned.read(f"clean_process/{name}.zip")))
        file = next(n for n in archive.namelist() if re.fullmatch("[^/]*videodatainfo.json", n))
        for row in json.loads(archive.read(file))["sentences"]:
            said[row["video_id"]].append(row["caption"])
    repository = Repository(roots, "BennoKrojer/imagecode-msrvtt-pairs")
    shots = {}  # the first pair of frames of each
    for path in repository.pictures("all_concat/"):
        shots.setdefault(path.split("/")[1], path)
    videos = defaultdict(list)  # in the order of the repository
    for shot, path in shots.items():
        videos[_VIDEO.findall(shot)[0]].append(path)
    tested = [video for video, (first, *_) in videos.items() if "TestVideo" in first][:500]
    if held_out:
        yield from _halves(repository, [(said[v][:5], videos[v][0]) for v in tested], 0)
        return
    rest = videos.keys() - {*tested}
    chosen = [(said[v][:10], path) for v in videos if v in rest for path in videos[v]]
    for half in (0, 1):
        yield from _halves(repository, chosen, half)


def _halves(
    repository: Repository, chosen: list[tuple[list[str], str]], half: int
) -> Iterator[Item]:
    """One of the two frames that each picture has side by side; a few have but one."""
    for texts, data in repository.stream((list(dict.fromkeys(t)), path) for t, path in chosen):
        picture = Image.open(io.BytesIO(data))
        width, height = picture.size
        middle = width // 2 if width > 1.5 * height else width
        left, right = (0, middle) if half == 0 else (middle, width)
        if left < right:
            yield texts, cut(picture, (left, 0, right, height))


def riddles(roots: Roots) -> Iterator[Item]:
    """What people are asked to recognise: vehicles, animals, things of streets."""
    one = Repository(roots, "MaxAndolini/hCaptcha-Images")
    other = Repository(roots, "deathlyface/recaptcha-dataset")
    yield from by_folder(one, words.RIDDLES, 1000)
    yield from by_folder(other, words.STREETS, 600)


def fruits(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "strgalt-t/Fruits-40-EU")
    names = {name: [name.replace("black berry", "blackberry")] for name in repository.folders()}
    return by_folder(repository, names, 300)


def devices(roots: Roots) -> Iterator[Item]:
    return by_folder(Repository(roots, "mh10a007/object_recognition_model"), words.DEVICES, 400)


def flowers(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "kibru9399/Image-classifier")
    names = json.loads(repository.read("cat_to_name.json"))
    return by_folder(repository, {folder: [name] for folder, name in names.items()})


def imagen(roots: Roots) -> Iterator[Item]:
    """Five pictures of each of ImageNet's 200 classes of detection."""
    repository = Repository(roots, "ajschumacher/imagen")
    paths = repository.pictures("imagen/")
    names = (" ".join(Path(p).stem.split("_")[2:]) for p in paths)
    return repository.stream(([name], p) for name, p in zip(names, paths, strict=True))


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


def exercises(roots: Roots) -> Iterator[Item]:
    """Four frames of each of UCF101's videos of ten exercises."""
    repository = Repository(roots, "clarachristiansen/IDLCV_VC")
    frames = repository.pictures("data/ufc10/frames/")
    chosen = [path for path in frames if re.search("frame_([147]|10)\\.jpg", path)]
    return repository.stream((words.EXERCISES[path.split("/")[4]], path) for path in chosen)


def matches(roots: Roots) -> Iterator[Item]:
    """22 sports, without what the repository's own list leaves out."""
    repository = Repository(roots, "jurjsorinliviu/Sports-Type-Classifier")
    rows = csv.DictReader(io.StringIO(repository.read("data/cleaned.csv").decode()))
    chosen = ((words.MATCHES[row["label"]], f"data/{row['name']}") for row in rows)
    return repository.stream(row for row in chosen if row[1].endswith(("jpg", "jpeg", "png")))


def instruments(roots: Roots) -> Iterator[Item]:
    repository = Repository(roots, "aizadaaskar/dl-homework")
    return by_folder(repository, {name: words.instrument(name) for name in repository.folders()})


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
    "web": (web, 128, "caption", 0.30),
    "pexels": (pexels, 128, "caption", 0.06),
    "frames": (frames, 128, "caption", 0.70),
    "pascal": (pascal, 128, "caption", 0.03),
    "small": (small, 112, "label", 0.02),
    "sports100": (sports100, 128, "label", 0.16),
    "caltech101": (caltech101, 128, "label", 0.12),
    "imagenette": (imagenette, 128, "label", 0.04),
    "scenes": (scenes, 112, "label", 0.05),
    "places": (places, 128, "label", 0.3),
    "actions": (actions, 128, "label", 0.1),
    "professions": (professions, 128, "label", 0.08),
    "instruments": (instruments, 128, "label", 0.04),
    "exercises": (exercises, 128, "label", 0.04),
    "matches": (matches, 128, "label", 0.08),
    "riddles": (riddles, 128, "label", 0.12),
    "fruits": (fruits, 128, "label", 0.03),
    "devices": (devices, 128, "label", 0.02),
    "flowers": (flowers, 128, "label", 0.03),
    "imagen": (imagen, 128, "label", 0.02),
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
    "frames-held-out": (lambda r: frames(r, held_out=True), 128, "caption"),
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
