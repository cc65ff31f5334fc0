"""What `training/` ships is what was trained: its exports against PyTorch. Needs torch and ONNX."""

import copy
import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

TRAINING = Path(__file__).parent.parent / "training"
TOKENIZER = TRAINING.parent / "src" / "framefind" / "models" / "mini-12" / "tokenizer.json"
SIZE = 64


def whole_vocabulary():
    """The settings of a tokenizer whose every token has a row of its own, not only Latin ones."""
    settings = json.loads(TOKENIZER.read_text())
    words = [*settings["model"]["vocab"], "собака", "犬"]
    settings["model"]["vocab"] = {word: row for row, word in enumerate(words)}
    return settings


@pytest.fixture(scope="module")
def towers():
    sys.path.insert(0, str(TRAINING))
    import towers

    yield towers
    sys.path.remove(str(TRAINING))


@pytest.fixture(scope="module")
def views():
    """Pictures with shapes in them: sums of waves, uint8 (n, SIZE, SIZE, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    waves = rng.uniform(0, 6, (2, 32, 3, 4, 1, 1))
    shown = np.sin(2 * np.pi * (waves[0] * x + waves[1] * y)).sum(2)  # (32, 4, SIZE, SIZE)
    shown = 127 + 40 * shown[:, :3] * rng.uniform(0.2, 1, (32, 1, 1, 1))
    return np.clip(shown.transpose(0, 2, 3, 1), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def tower(towers, views):
    """A small image tower with the statistics of a trained one, if with nothing learned."""
    torch.manual_seed(0)
    tower = towers.ImageTower((16, 24, 32, 48), (1, 2, 1, 1), 32)
    for norm in tower.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
            torch.nn.init.normal_(norm.bias, std=0.3)
    with torch.no_grad():
        for _ in range(30):
            tower(normalised(towers, views))
    return tower.eval()


def normalised(towers, views):
    pixels = (views.astype(np.float32) - np.array(towers.MEAN)) / np.array(towers.STD)
    return torch.from_numpy(pixels.astype(np.float32)).permute(0, 3, 1, 2)


def one_by_one(towers, views):
    return [(one,) for one in normalised(towers, views[:16]).split(1)]


def by_torch(towers, tower, views):
    with torch.no_grad():
        return tower(normalised(towers, views)).numpy()


def by_onnx(file, **inputs):
    return onnxruntime.InferenceSession(file).run(None, inputs)[0]


def agreement(one, other):
    """The lowest cosine, less the common mean."""
    mean = one.mean(0)
    one, other = one - mean, other - mean
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return ((one * other).sum(1) / lengths).min()


class TestImageTower:
    def test_equals_torch_but_for_what_surrounds_a_picture(self, towers, tower, views, tmp_path):
        import export
        import graphs

        export.image_tower(tower, tmp_path / "image.onnx", SIZE, graphs.Graph())
        found = by_onnx(tmp_path / "image.onnx", pixels=views)
        assert found.shape == (32, 32)
        assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert agreement(by_torch(towers, tower, views), found) > 0.99

    def test_integers_keep_it(self, towers, tower, views, tmp_path):
        import export
        import graphs

        spans = graphs.observe(tower, one_by_one(towers, views))
        export.image_tower(tower, tmp_path / "image.onnx", SIZE, graphs.Integers(spans))
        found = by_onnx(tmp_path / "image.onnx", pixels=views)
        assert agreement(by_torch(towers, tower, views), found) > 0.97

    def test_no_two_products_overflow_16_bits(self, towers, tower, views, tmp_path):
        import export
        import graphs

        spans = graphs.observe(tower, one_by_one(towers, views))
        export.image_tower(tower, tmp_path / "image.onnx", SIZE, graphs.Integers(spans))
        weights = [
            onnx.numpy_helper.to_array(one)
            for one in onnx.load(tmp_path / "image.onnx").graph.initializer
            if one.data_type == onnx.TensorProto.INT8
        ]
        assert len(weights) == len(spans)
        assert max(int(abs(one.astype(int)).max()) for one in weights) * 255 * 2 < 2**15


class TestRestore:
    """A shipped tower is one again that can be trained."""

    @pytest.fixture
    def written(self, towers, tower, views, tmp_path):
        import export
        import graphs
        import restore

        graph = graphs.Integers(graphs.observe(tower, one_by_one(towers, views)))
        export.image_tower(tower, tmp_path / "image.onnx", SIZE, graph)
        return restore.Written(tmp_path / "image.onnx", "x")

    def test_its_vectors_are_those_of_the_shipped_one(self, towers, tower, views, written):
        import restore

        restored = towers.ImageTower((16, 24, 32, 48), (1, 2, 1, 1), 32).eval()
        restore.restore(restored, written)
        wanted = by_torch(towers, tower, views)
        assert agreement(wanted, by_torch(towers, restored, views)) > 0.97
        restore.unfold(restored, normalised(towers, views).split(16))
        assert agreement(wanted, by_torch(towers, restored, views)) > 0.97

    def test_what_is_normalised_is_measured(self, towers, views, written):
        import restore

        restored = towers.ImageTower((16, 24, 32, 48), (1, 2, 1, 1), 32).eval()
        restore.restore(restored, written)
        before = by_torch(towers, copy.deepcopy(restored).train(), views)
        restore.unfold(restored, [normalised(towers, views)])
        alone = by_torch(towers, restored, views)
        in_batch = by_torch(towers, copy.deepcopy(restored).train(), views)
        assert agreement(alone, in_batch) > 0.999
        assert agreement(alone, before) < 0.9

    def test_a_half_of_the_texts_has_all_tokens(self, towers):
        import restore

        parts = [towers.TextTower(torch.randn(3, 8)) for _ in range(2)]
        joined = towers.Joined(parts, torch.eye(16))
        words = {f"text.{name}": value for name, value in joined.state_dict().items()}
        found = towers.text_of(restore.text_half(words, 1, [4, 0, 2], 6))
        assert torch.equal(found.table[[4, 0, 2]], parts[1].table)
        assert torch.equal(found.weight[[4, 0, 2]], parts[1].weight)
        assert (found.table[[1, 3, 5]] == 0).all()


@pytest.fixture
def joined(towers, tower, views, tmp_path):
    """The image tower and itself, of integers, as a joined one."""
    import export
    import graphs
    import join

    spans = graphs.observe(tower, one_by_one(towers, views))
    export.image_tower(tower, tmp_path / "one.onnx", SIZE, graphs.Integers(spans))
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(64, 32)))[0].astype(np.float32)
    join.joined([tmp_path / "one.onnx"] * 2, turned, tmp_path / "joined.onnx")
    return tmp_path / "joined.onnx"


class TestFusion:
    def test_sees_what_goes_into_the_last_block_of_each_network(self, towers, tower, views, joined):
        import fusion

        trunk = fusion.Trunk(joined)
        maps, vectors = trunk.see(views)
        np.testing.assert_allclose(vectors, by_onnx(joined, pixels=views), atol=1e-6)
        with torch.no_grad():
            wanted = tower.body[:-1](tower.stem(normalised(towers, views)))
        seen = trunk.fractions(maps)
        assert seen.shape == (32, 64, 4, 4)
        for half in seen.chunk(2, 1):
            assert agreement(wanted.flatten(1).numpy(), half.flatten(1).numpy()) > 0.9

    def test_what_it_sees_of_views_is_kept_and_goes_on(self, joined, pack, tmp_path, monkeypatch):
        import batches
        import fusion

        monkeypatch.setattr(fusion, "AT_ONCE", 16)
        trunk, pictures = fusion.Trunk(joined), batches.Pictures(pack)
        for name, counts in (("whole", [48]), ("parts", [16, 16, 48])):
            for count in counts:
                fusion.look(trunk, pictures, tmp_path / name, count, SIZE, loaders=0)
        whole, parts = (fusion.Seen.read(tmp_path / n, trunk, SIZE) for n in ("whole", "parts"))
        assert whole.maps.shape == (48, 64, 4, 4)
        assert parts.drawn == whole.drawn
        np.testing.assert_array_equal(parts.maps, whole.maps)
        np.testing.assert_array_equal(parts.joined, whole.joined)

    def test_kept_views_are_drawn_by_share_and_all_before_any_comes_again(self):
        import fusion

        drawn = [("coco", i) for i in range(30)] + [("sports100", i) for i in range(6)]
        seen = fusion.Seen(np.zeros(0), np.zeros(0), [*drawn, (fusion.BY_HEART, 0)])
        rows = seen.rows(8, np.random.default_rng(0))
        found = [int(row) for _ in range(200) for row in next(rows)]
        coco = [row for row in found if row < 30]
        sports = [row for row in found if 30 <= row < 36]
        assert len(found) == 1600 == len(coco) + len(sports)
        for few, count in ((coco, 30), (sports, 6)):
            times = np.bincount(few)[-count:]
            assert times.max() - times.min() <= 1
        shares = [fusion.sources.TRAIN[name][3] for name in ("coco", "sports100")]
        assert abs(len(coco) / 1600 - shares[0] / sum(shares)) < 0.05

    def test_before_it_is_trained_it_adds_nothing(self, towers, views, joined):
        import fusion

        maps, vectors = (trunk := fusion.Trunk(joined)).see(views)
        found = towers.Fusion(64, 16, 2, 32).eval()(
            trunk.fractions(maps), torch.from_numpy(vectors)
        )
        np.testing.assert_allclose(found.detach().numpy(), vectors, atol=1e-6)

    def test_shipped_it_equals_torch(self, towers, views, joined, tmp_path):
        import export
        import fusion

        torch.manual_seed(2)
        maps, vectors = (trunk := fusion.Trunk(joined)).see(views)
        seen, plain = trunk.fractions(maps), torch.from_numpy(vectors)
        end = towers.Fusion(64, 16, 2, 32)
        torch.nn.init.normal_(end.head.weight, std=0.1)
        with torch.no_grad():
            for _ in range(30):
                end(seen, plain)
            wanted = end.eval()(seen, plain).numpy()
        export.fused(end, views, joined, tmp_path / "fused.onnx")
        found = by_onnx(tmp_path / "fused.onnx", pixels=views)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert agreement(wanted, found) > 0.97
        assert agreement(wanted, vectors) < 0.9  # it is the end that makes the difference


@pytest.fixture
def text_tower(towers):
    """Of 200 tokens, as `wording.py` leaves it."""
    import rounding

    def made(seed=0):
        torch.manual_seed(seed)
        tower = towers.TextTower(torch.randn(200, 64)).eval()
        rounding.begin(tower)
        rounding.end(tower)
        return tower

    return made


class TestRounding:
    def test_a_number_is_off_by_half_a_step_at_most(self, towers):
        import rounding

        table = torch.randn(50, 96, generator=torch.Generator().manual_seed(0))
        whole, scales = rounding.steps(table)
        widths = scales.float().repeat_interleave(rounding.GROUP, 1)
        assert scales.shape == (50, 3)
        assert (whole == whole.round()).all()
        assert whole.abs().max() == rounding.MOST
        assert ((whole * widths - table).abs() <= 0.502 * widths).all()  # half precision

    def test_what_is_rounded_stays_as_it_is(self, text_tower):
        import rounding

        tower = text_tower()
        whole, scales = rounding.steps(tower.table)
        again = whole * scales.float().repeat_interleave(rounding.GROUP, 1)
        assert torch.equal(again, tower.table)

    def test_a_rounded_table_learns(self, towers):
        """Past the step that rounding would take away, since what is learned is not rounded."""
        import rounding

        torch.manual_seed(0)
        tower = towers.TextTower(torch.randn(20, 32), hidden=48)
        learned = rounding.begin(tower)
        falling = torch.optim.SGD([learned], 0.02)
        wanted = torch.randn(20, 32).div(4)
        ids = torch.arange(1, 20)[:, None]
        far = [(1 - (tower(ids) * wanted[1:]).sum(1)).mean()]
        for _ in range(200):
            falling.zero_grad()
            loss = (1 - (tower(ids) * wanted[1:]).sum(1)).mean()
            loss.backward()
            falling.step()
        rounding.end(tower)
        far.append((1 - (tower(ids) * wanted[1:]).sum(1)).mean())
        assert far[1] < far[0] - 0.2
        assert torch.equal(tower.weight, torch.ones(20))


def test_a_text_tower_equals_torch(text_tower, tmp_path):
    import export

    tower = text_tower()
    assert export.text_tower(tower, tmp_path / "text.onnx", [*range(200)]) == 64
    ids = np.random.default_rng(0).integers(1, 200, (16, 6))
    ids[:, 4:] = 0  # padding
    found = by_onnx(tmp_path / "text.onnx", input_ids=ids, attention_mask=(ids > 0).astype(int))
    with torch.no_grad():
        wanted = tower(torch.from_numpy(ids)).numpy()
    assert agreement(wanted, found) > 0.999


def test_two_text_towers_side_by_side_with_fewer_tokens_equal_torch(towers, text_tower, tmp_path):
    import export

    parts = [text_tower(seed) for seed in range(2)]
    tower = towers.Joined(parts, torch.linalg.qr(torch.randn(128, 24)).Q).eval()
    kept = [0, *range(1, 200, 3)]
    assert export.text_tower(tower, tmp_path / "text.onnx", kept) == 24
    rows = np.random.default_rng(0).integers(1, len(kept), (16, 6))
    found = by_onnx(tmp_path / "text.onnx", input_ids=rows, attention_mask=np.ones_like(rows))
    again = towers.text_of({f"text.{name}": value for name, value in tower.state_dict().items()})
    with torch.no_grad():
        wanted = again(torch.from_numpy(np.array(kept)[rows])).numpy()
    assert agreement(wanted, found) > 0.999


def test_a_balanced_score_is_less_by_how_near_the_picture_is_to_the_bank(towers, tmp_path):
    """But for lengths: a cosine of vectors whose last numbers say it."""
    import balance
    import graphs

    rng = np.random.default_rng(0)
    pictures, texts, bank = (
        balance.unit(rng.normal(size=(count, 16)).astype(np.float32)) for count in (40, 30, 50)
    )
    turned = np.linalg.qr(rng.normal(size=(16, 16)))[0][:, :15].astype(np.float32)
    short = {name: balance.unit(v @ turned) for name, v in (("p", pictures), ("t", texts))}
    bank = balance.unit(bank @ turned)
    near = balance.nearness(short["p"], bank, 30.0)
    usual = float(near.mean())
    found = []
    for vectors, end in (
        (pictures, partial(balance.picture, bank, 30.0, usual)),
        (texts, balance.text),
    ):
        graph = graphs.Graph()
        taken = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 16])
        graph.save(tmp_path / "tower.onnx", graph.node("Identity", "x"), [taken], 16)
        balance.write(tmp_path / "tower.onnx", tmp_path / "balanced.onnx", turned, end)
        found.append(by_onnx(tmp_path / "balanced.onnx", x=vectors))
        assert found[-1].shape == vectors.shape
        np.testing.assert_allclose(np.linalg.norm(found[-1], axis=1), 1, atol=1e-3)
    less = balance.PART * (near - usual)
    last = less * (1 - balance.SHARE**2) ** 0.5 / balance.SHARE
    cosine = short["t"] @ short["p"].T * np.sqrt(1 - last**2)
    wanted = (1 - balance.SHARE**2) ** 0.5 * (cosine - less)
    np.testing.assert_allclose(found[1] @ found[0].T, wanted, atol=2e-3)


def test_what_is_written_in_latin_keeps_its_tokens(towers):
    """But for their numbers; of what is left out, nothing is left but that it is unknown."""
    import vocabulary
    from tokenizers import Tokenizer

    given = whole_vocabulary()
    smaller, rows = vocabulary.latin(given)
    whole, cut = (Tokenizer.from_str(json.dumps(one)) for one in (given, smaller))
    for one in (whole, cut):
        one.no_padding()
    for text in (
        "A dog's café, 3 km² of §-signs",
        "surfboards & straße – “€ 5”",
        "rhododendron blossoms",
    ):
        wanted = whole.encode(text, add_special_tokens=False)
        found = cut.encode(text, add_special_tokens=False)
        assert found.tokens == wanted.tokens
        assert [rows[i] for i in found.ids] == wanted.ids
    assert "[UNK]" not in whole.encode("собака 犬").tokens
    assert set(cut.encode("собака 犬", add_special_tokens=False).tokens) == {"[UNK]"}
    assert cut.token_to_id("[PAD]") == 0


def cloned(folder, name, files):
    """A repository of these files, by path, as `clones.Repository` finds it."""
    clone = folder / name.replace("/", "+") / "repo"
    for path, data in files.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(data)
    git = ["git", "-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "files"]):
        subprocess.run([*git, *command], check=True)


def drawn(width, height, colours):
    """A PNG of vertical bars."""
    bars = np.repeat(np.array(colours, np.uint8), width // len(colours), axis=0)
    file = io.BytesIO()
    Image.fromarray(np.broadcast_to(bars, (height, *bars.shape))).save(file, "PNG")
    return file.getvalue()


def test_a_video_that_is_held_out_is_not_trained_on(towers, tmp_path):
    import clones
    import sources

    pair = drawn(64, 24, [(200, 0, 0), (0, 0, 200)])
    shots = ("TrainValVideo_video1-shot1_0", "TrainValVideo_video1-shot1_1")
    files = {f"all_concat/MSR-VTT-video{shot}/concat_img0_img9.jpg": pair for shot in shots}
    files["all_concat/MSR-VTT-videoTestVideo_video7-shot2_0/concat_img3_img5.jpg"] = pair
    cloned(tmp_path, "BennoKrojer/imagecode-msrvtt-pairs", files)
    zipped = {}
    for name, inner, video in (
        ("train_val_annotation", "train_val_videodatainfo.json", "video1"),
        ("test_videodatainfo.json", "test_videodatainfo.json", "video7"),
    ):
        rows = [{"video_id": video, "caption": f"{video} is said to be {i}"} for i in range(20)]
        with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
            archive.writestr(inner, json.dumps({"sentences": rows}))
        zipped[f"clean_process/{name}.zip"] = packed.getvalue()
    cloned(tmp_path, "WingsBrokenAngel/MSR-VTT-DataCleaning", zipped)
    roots = clones.Roots(tmp_path, tmp_path)
    trained, tested = list(sources.frames(roots)), list(sources.frames(roots, held_out=True))
    assert [texts for texts, _ in trained] == [[f"video1 is said to be {i}" for i in range(10)]] * 4
    assert [texts for texts, _ in tested] == [[f"video7 is said to be {i}" for i in range(5)]]
    frames = [Image.open(io.BytesIO(data)) for _, data in (*trained, *tested)]
    assert {frame.size for frame in frames} == {(32, 24)}
    first, second = [(32 * 24, (200, 0, 0))], [(32 * 24, (0, 0, 200))]
    colours = [frame.getcolors() for frame in frames]
    assert colours == [first, first, second, second, first]


def test_pictures_of_the_web_lose_the_square_that_they_stand_on(towers, tmp_path, monkeypatch):
    import clones
    import sources

    files = {}
    for number, caption in enumerate(("two boats on a lake", "a cartoon of a boat")):
        bars = drawn(64, 64, [(255, 255, 255), (0, 90, 0), (0, 90, 0), (255, 255, 255)])
        facts = {"caption": caption, "original_width": 300, "original_height": 600}
        files[f"data/00000/{number}.jpg"] = bars
        files[f"data/00000/{number}.json"] = json.dumps(facts).encode()
    cloned(tmp_path, "heon01px2020/csci1470-prismer-final-project", files)
    monkeypatch.setattr(sources, "WEB", "HEAD")
    ((texts, data),) = sources.web(clones.Roots(tmp_path, tmp_path))
    assert texts == ["two boats on a lake"]
    found = Image.open(io.BytesIO(data))
    assert found.size == (32, 64)
    assert found.getcolors() == [(32 * 64, (0, 90, 0))]


def test_captions_that_stand_in_one_row_are_told_apart(towers, tmp_path):
    import clones
    import sources

    row = 'http://a.org/cow/7.jpg,"A cow.  Two cows graze. a cow  A calf",cow'
    rows = f"img_url,text,category\n{row}\n"
    folder = "backend/dataset"
    files = {f"{folder}/labels.csv": rows.encode(), f"{folder}/images/7.jpg": b"cow"}
    cloned(tmp_path, "hamzakpt/semantic-image-search", files)
    found = list(sources.pascal(clones.Roots(tmp_path, tmp_path)))
    assert found == [(["A cow", "Two cows graze", "a cow", "A calf"], b"cow")]


def test_folders_give_so_many_pictures_at_most(towers, tmp_path):
    import clones

    files = {
        f"{folder}/{i}.jpg": bytes([i]) for folder in ("cat", "domestic cat") for i in range(3)
    }
    cloned(tmp_path, "some/body", files | {"dog/1.jpg": b"d", "cloud/1.jpg": b"c"})
    repository = clones.Repository(clones.Roots(tmp_path, tmp_path), "some/body")
    names = {"cat": ["cat"], "domestic cat": ["cat"], "dog": ["dog"]}
    found = [texts[0] for texts, _ in clones.by_folder(repository, names, 4)]
    assert Counter(found) == {"cat": 4, "dog": 1}


def test_four_frames_are_taken_of_each_video_of_an_exercise(towers, tmp_path):
    import clones
    import sources

    video = "data/ufc10/frames/train/PullUps/v_PullUps_g01_c01"
    files = {f"{video}/frame_{i}.jpg": bytes([i]) for i in range(1, 11)}
    cloned(tmp_path, "clarachristiansen/IDLCV_VC", files)
    found = list(sources.exercises(clones.Roots(tmp_path, tmp_path)))
    assert {texts[0] for texts, _ in found} == {"pull-ups"}
    assert sorted(data[0] for _, data in found) == [1, 4, 7, 10]


def test_kin_of_a_noun_are_what_it_is_and_kinds_of_it(towers, tmp_path):
    import clones
    import sources

    names = ["thing", "animal, beast", "felid", "cat, true cat", "tabby, Tom", "tabby cat"]
    rows = [f"n{i}\t{row}\n" for i, row in enumerate([*names, "entity"])]
    files = {"words.txt": "".join(rows), "is_a.txt": "n6 n0\nn0 n1\nn1 n2\nn2 n3\nn3 n4\nn3 n5\n"}
    encoded = {path: text.encode() for path, text in files.items()}
    cloned(tmp_path, "niharikajainn/imagenet-ancestors-descendants", encoded)
    kin = sources.kin(clones.Roots(tmp_path, tmp_path))
    assert kin["cat"] == ["animal", "beast", "felid", "tabby", "thing"]
    assert kin["beast"] == ["animal", "entity", "felid", "thing"]
    assert kin["tabby"] == ["animal", "beast", "cat", "felid"]
    assert "true cat" not in kin


class TestRare:
    """Words that few pictures have: "plane" lends to "aeroplane", "horse" to "stallion"."""

    def test_a_word_takes_after_the_likest_that_is_seen_more(self, towers):
        import rare

        known = ["horse", "plane", "man"]
        seen = Counter(horse=500, plane=100, man=900, foal=90)
        words = ["stallion", "foal", "plane", "treaty", "mantis", "planes", "horse", "okapi"]
        words += ["pilot", "manservant", "animals"]
        likeness = np.array(
            [
                [0.7, 0.1, 0.65],
                [0.8, 0.9, 0.0],  # "plane" is not seen often enough to say what "foal" means
                [0.0, 1.0, 0.7],
                [0.2, 0.1, 0.3],  # like none
                [0.1, 0.2, 0.8],  # in pieces, of which the first is "man"
                [0.1, 0.8, 0.2],
                [1.0, 0.1, 0.3],
                [0.9, 0.1, 0.1],  # the name of a class
                [0.1, 0.6, 0.5],  # less like a man, but one
                [0.1, 0.2, 0.5],  # in pieces, and a man
                [0.8, 0.1, 0.1],  # of which a horse is only a kind
            ],
            np.float32,
        )
        whole = {*words} - {"mantis", "planes", "manservant"}
        kin = {"pilot": ["man", "worker"], "manservant": ["man"], "treaty": ["man"]}
        kin |= {"horse": ["animal", "equine"], "animal": ["dog"]}
        counts = rare.Counts(seen, seen, {"okapi"})
        like = rare.likes(words, likeness, known, counts, whole, kin)
        horses = {"stallion": "horse", "foal": "horse"}
        men = {"plane": "man", "pilot": "man", "manservant": "man"}
        assert like == {**horses, **men, "planes": "plane"}

    def test_a_word_is_not_like_its_opposite(self, towers):
        import rare

        likeness = np.array([[0.9, 0.7], [0.9, 0.7]], np.float32)
        counts = rare.Counts(Counter(wet=500, damp=200), Counter(), set())
        given = (["dry", "moist"], likeness, ["wet", "damp"], counts, {"dry", "moist"}, {})
        assert rare.likes(*given) == {"dry": "damp", "moist": "wet"}

    def test_what_texts_say_of_words(self, towers, tmp_path, monkeypatch):
        import rare
        import sources
        from tokenizers import Tokenizer

        luge = [["luge", "sledding on ice"]] * rare.CLASS
        coco = [["a sledge on ice"]] * 2 + [["a sledge in ice"]]  # the first two are one video's
        texts = {"sports100": [*luge, ["skeleton"]], "coco": coco}
        monkeypatch.setattr(sources, "TRAIN", {name: sources.TRAIN[name] for name in texts})
        for name, rows in texts.items():
            (tmp_path / f"{name}.json").write_text(json.dumps({"texts": rows}))
        tokenizer = Tokenizer.from_file(str(TOKENIZER))
        begin = tokenizer.encode("luge", add_special_tokens=False).tokens[0]
        assert begin != "luge"
        counts = rare.Counts.of(tmp_path, tokenizer)
        ice = rare.CLASS + 2
        assert (counts.seen["ice"], counts.seen["sledge"], counts.seen["on"]) == (ice, 2, 0)
        assert (counts.named["ice"], counts.named["luge"]) == (2, rare.CLASS)
        assert {"luge", "luges", begin} <= counts.taught
        assert counts.taught.isdisjoint({"ice", "sledding", "sledge", "skeleton"})
        assert counts.seen[begin] >= rare.CLASS  # a word in pieces speaks for the first of them

    def test_a_picture_shows_what_two_of_its_captions_say(self, towers):
        import rare

        captions = ["a dog runs", "the dog", "a puppy in the snow"]
        assert rare.shown(captions, 2) == {"dog", "the"}
        assert rare.shown(captions[:1], 2) == {"dog", "runs"}
        assert rare.shown(captions, 1) == {"dog", "runs", "the", "puppy", "snow"}

    def test_words_in_pieces_are_those_that_no_other_begins_with(self, towers, tmp_path):
        import rare

        captions = ["a feline and a felinephile", "unicyclists on an aeroplane"]
        (tmp_path / "sentences.json").write_text(json.dumps(captions))
        seen = Counter(horse=500, unicyclist=30, aeroplane=2, feline=1, felinephile=40)
        kin = {"percheron": ["animal", "horse"], "treatise": ["book"]}
        found = rare.in_pieces(tmp_path, {"horse", "and"}, seen, ["horse"], kin)
        assert found == ["aeroplane", "percheron", "unicyclists"]

    def test_the_fewer_pictures_the_nearer(self, towers):
        import rare

        row = {"horse": 0, "stallion": 1, "foal": 2, "steed": 3}
        table = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
        seen = Counter(horse=500, foal=rare.FEW)
        like = {"stallion": "horse", "foal": "horse", "steed": "foal"}
        found = rare.drawn(table, like, seen, row)
        assert torch.equal(found[0], table[0])
        assert torch.equal(found[1], table[0])
        assert torch.allclose(found[2], (table[0] + table[2]) / 2)
        assert torch.equal(found[3], found[2])  # as it is after it was drawn itself

    def test_like_words_are_one_token_where_it_ships(self, towers, tmp_path):
        import batches
        import export
        import rare
        import vocabulary
        from tokenizers import Tokenizer

        given = whole_vocabulary()
        row = given["model"]["vocab"]
        torch.manual_seed(0)
        table = torch.randn(len(row), 32)
        like = {"paragliders": "kite", "stallion": "horse"}
        assert "paragliders" not in row
        wider, rows = rare.widened(given, like)
        tower = towers.TextTower(rare.drawn(table, like, Counter(), row)[rows])
        smaller, tokens = vocabulary.latin(wider)
        shared, left = vocabulary.once(smaller, tokens, [tower.table.detach()])
        assert len(left) == len(tokens) - 2
        export.text_tower(tower, tmp_path / "text.onnx", left)
        tokenizer = Tokenizer.from_str(json.dumps(shared))
        tokenizer.no_padding()
        assert tokenizer.token_to_id("[PAD]") == 0
        texts = ["a stallion", "a horse", "Paragliders", "kite", "the dog's café"]
        ids = batches.padded(tokenizer, texts)
        inputs = {"input_ids": ids.numpy(), "attention_mask": (ids > 0).long().numpy()}
        found = by_onnx(tmp_path / "text.onnx", **inputs)
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[2], found[3])
        assert found[0] @ found[2] < 0.9
        whole = Tokenizer.from_str(json.dumps(wider))
        whole.no_padding()
        for text, shorter in zip(texts, ids.tolist(), strict=True):
            wanted = tower.table[whole.encode(text, add_special_tokens=False).ids]
            assert torch.equal(tower.table[[left[i] for i in shorter if i]], wanted)


@pytest.fixture(scope="module")
def classes(towers):
    """Two dogs, two cars; captioned pictures of two sources: dogs that run, cats that sleep."""
    import batches
    import classes
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    captions = [("a dog runs", "the dog"), ("a cat sleeps", "cats")] * 20
    pictures = SimpleNamespace(
        classes=[("dogs", "poodle"), ("dogs", "beagle"), ("cars", "cab"), ("cars", "van")]
        + [(batches.CAPTIONED[i % 2], *texts) for i, texts in enumerate(captions)]
    )
    texts = SimpleNamespace(ids=lambda names: batches.padded(tokenizer, names))
    return classes.Classes(texts, pictures)


class TestClasses:
    """Columns: poodle, beagle, cab, van; cat, cats, dog, runs, sleeps."""

    def test_a_class_is_told_from_those_of_its_source_alone(self, classes):
        logits = torch.zeros(1, 9)
        logits[0, 1], logits[0, 2:] = 1.0, 50.0
        wanted = -torch.tensor([0.0, 1.0]).log_softmax(0)[1]
        assert torch.isclose(classes.loss(logits, torch.tensor([1])), wanted)

    def test_a_captioned_picture_shows_its_words_as_often_as_they_are_said(self, classes):
        goal = torch.tensor([0, 0, 0, 0, 0, 0, 2, 1, 0]) / 3
        assert torch.allclose(classes.goals[4], goal)
        said = torch.tensor([0.2, 0.2, 0.4, 0.5, 0.9, 0.1, 2.0, 1.0, 0.3])
        wanted = -(goal[4:] * said[4:].log_softmax(0)).sum()
        assert torch.isclose(classes.loss(said[None], torch.tensor([4])), wanted)

    def test_what_is_of_no_class_costs_nothing(self, classes):
        logits = torch.randn(2, 9, generator=torch.Generator().manual_seed(0))
        alone = classes.loss(logits[:1], torch.tensor([0]))
        assert torch.equal(classes.loss(logits, torch.tensor([0, -1])), alone)


def test_a_thinned_caption_keeps_its_order_and_at_least_a_word(towers):
    import batches

    rng, caption = np.random.default_rng(0), "a brown dog runs after a red ball"
    found = [batches.thinned(caption, rng).split() for _ in range(200)]
    for words in found:
        rest = iter(caption.split())
        assert words
        assert all(word in rest for word in words)
    assert 80 <= [" ".join(words) for words in found].count(caption) <= 130
    assert batches.thinned("dog", rng) == "dog"


@pytest.fixture(scope="module")
def pack(towers, tmp_path_factory):
    """300 pictures of a pixel in each source, where sorted of two classes: 5 and 295."""
    import sources

    folder = tmp_path_factory.mktemp("pack")
    for name, (_, _, kind, _) in sources.TRAIN.items():
        texts = [["rare"]] * 5 + [["common"]] * 295
        if kind == "caption":
            texts = [[f"{name} {i}"] for i in range(300)]
        (folder / f"{name}.json").write_text(json.dumps({"texts": texts}))
        np.save(folder / f"{name}.npy", np.arange(900).astype(np.uint8).reshape(300, 1, 1, 3))
    return folder


def test_classes_are_drawn_alike_however_many_pictures_they_have(pack):
    import batches

    pictures, rng = batches.Pictures(pack), np.random.default_rng(0)
    drawn = [pictures.draw(10, rng) for _ in range(3000)]
    assert all(len(set(batch)) == 10 for batch in drawn)
    rows = [row for batch in drawn for row in batch]
    for name, kind in pictures.kinds.items():
        rare = np.mean([i < 5 for source, i in rows if source == name])
        sorted_by_class = kind == "label" and name != "small"
        assert abs(rare - (0.5 if sorted_by_class else 0.05)) < 0.15, name


class TestMean:
    def test_weights_are_half_of_one_and_half_of_the_other(self, towers, tower):
        one = tower.state_dict()
        other = {name: value + 2 for name, value in one.items()}
        for name, value in towers.mean([one, other]).items():
            counted = not value.is_floating_point()
            torch.testing.assert_close(value, other[name] if counted else one[name] + 1)

    def test_statistics_are_those_of_views_whatever_they_were(
        self, towers, tower, pack, monkeypatch
    ):
        import mean

        monkeypatch.setattr(mean, "STEPS", 1)
        fresh = towers.ImageTower((16, 24, 32, 48), (1, 2, 1, 1), 32)
        weights = {k: v for k, v in tower.state_dict().items() if "running" not in k}
        fresh.load_state_dict(weights, strict=False)
        measured = []
        for one in (fresh, copy.deepcopy(tower)):
            torch.manual_seed(0)
            mean.measure(one, pack)
            measured.append({k: v for k, v in one.state_dict().items() if "running" in k})
        for name, value in measured[0].items():
            torch.testing.assert_close(value, measured[1][name], msg=name)
            assert not torch.allclose(value, tower.state_dict()[name], atol=1e-4), name
