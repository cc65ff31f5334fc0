"""Models that cannot be loaded, give nonsense, or change: nothing is left behind, or mixed."""

import os
import shutil
from pathlib import Path

import hubs
import numpy as np
import onnx
import pytest

import framefind
import media
from conftest import assert_same, content
from framefind.errors import LibraryError, ModelError
from framefind.models import registry


@pytest.fixture(autouse=True)
def forgotten() -> None:
    registry._load.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return hubs.clip(tmp_path / "model")


@pytest.fixture
def clip(clips: Path) -> Path:
    return clips / "c.mp4"


def picture_encoder(folder: Path, seed: int = 1, scale: float = 1.0) -> Path:
    """The image encoder of a model, written again with other weights."""
    file = folder / "onnx/vision_model.onnx"
    hubs.image_encoder(file, "pixel_values", "image_embeds", scale=scale)
    graph = onnx.load(file)
    weights = scale * hubs.weights(seed, 3 * hubs.SIZE**2, hubs.DIMENSIONS)
    graph.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))
    onnx.save(graph, file)
    return file


def damage(folder: Path, kind: str) -> None:
    if kind == "missing":
        shutil.rmtree(folder)
    elif kind == "no graph":
        (folder / "onnx/vision_model.onnx").write_bytes(b"no graph")
    elif kind == "same vectors":
        picture_encoder(folder, scale=0.0)
    elif kind == "not finite":
        picture_encoder(folder, scale=np.nan)
    else:
        hubs.edit(folder / "config.json", projection_dim=hubs.DIMENSIONS + 1)


KINDS = ["missing", "no graph", "same vectors", "not finite", "other dimensions"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_library_is_not_begun(kind: str, folder: Path, clip: Path, tmp_path: Path) -> None:
    damage(folder, kind)
    library = framefind.open(tmp_path / "new/deeper/l", model=f"local-dir:{folder}")
    with pytest.raises(ModelError):
        library.index(clip)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_library_stays_as_it_is(kind: str, folder: Path, clips: Path, tmp_path: Path) -> None:
    framefind.open(tmp_path / "l", model=f"local-dir:{folder}").index(clips / "c.mp4")
    before = content(framefind.open(tmp_path / "l"))
    damage(folder, kind)
    registry._load.cache_clear()
    with pytest.raises((ModelError, LibraryError)):
        framefind.open(tmp_path / "l").index(clips)
    assert_same(content(framefind.open(tmp_path / "l")), before)


def test_reembedding_leaves_nothing_beside(folder: Path, clip: Path, tmp_path: Path) -> None:
    framefind.open(tmp_path / "l", model=f"local-dir:{folder}").index(clip)
    other = hubs.clip(tmp_path / "other")
    damage(other, "no graph")
    with pytest.raises(ModelError):
        framefind.open(tmp_path / "l").reembed(f"local-dir:{other}")
    assert not (tmp_path / "l.reembed").exists()


def test_weights_that_keep_size_and_time_are_other_weights(folder: Path) -> None:
    file = folder / "onnx/vision_model.onnx"
    facts = file.stat()
    first = registry.load(f"local-dir:{folder}").fingerprint
    picture_encoder(folder, seed=9)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert file.stat().st_size == facts.st_size
    registry._load.cache_clear()
    assert registry.load(f"local-dir:{folder}").fingerprint["weights"] != first["weights"]


def test_weights_outside_of_a_graph_are_told_apart_by_any_name(folder: Path) -> None:
    file = folder / "onnx/vision_model.onnx"
    onnx.save(
        onnx.load(file), file, save_as_external_data=True, location="weights", size_threshold=0
    )
    first = registry.load(f"local-dir:{folder}").fingerprint
    data = file.with_name("weights")
    data.write_bytes(data.read_bytes()[::-1])
    registry._load.cache_clear()
    assert registry.load(f"local-dir:{folder}").fingerprint["weights"] != first["weights"]


def test_files_that_change_under_an_open_model_are_refused(folder: Path) -> None:
    model = registry.load(f"local-dir:{folder}")
    before = model.fingerprint
    picture_encoder(folder, seed=9)
    with pytest.raises(ModelError, match="have changed: start again"):
        model.embed_images(np.zeros((1, hubs.SIZE, hubs.SIZE, 3), np.uint8))
    assert model.fingerprint == before


def test_a_query_without_a_finite_vector_is_no_answer(
    folder: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = framefind.open(tmp_path / "l", model=f"local-dir:{folder}")
    library.index(clip)
    model = registry.load(f"local-dir:{folder}")
    monkeypatch.setattr(
        type(model._text_graph), "run", lambda *_: np.full((1, hubs.DIMENSIONS), np.inf)
    )
    with pytest.raises(ModelError, match="not finite: take another precision"):
        library.search("a red car")


def test_a_frame_without_a_finite_vector_fails_its_video_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = registry.load(f"local-dir:{folder}")
    graph = type(model._image_graph)
    run = graph.run

    def overflow(self: object, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """As at half precision: pictures that are red in their top left corner overflow."""
        outputs = run(self, inputs)
        if "pixel_values" in inputs:
            corner = inputs["pixel_values"][:, :, 2, 2]
            outputs[corner[:, 0] > corner[:, 1] + 1] = np.inf
        return outputs

    monkeypatch.setattr(graph, "run", overflow)
    (tmp_path / "v").mkdir()
    good = media.corners()[::-1, ::-1]
    bad = media.corners()
    for name, pictures in {"a": [bad, bad], "b": [good, bad], "c": [good, good]}.items():
        media.film(tmp_path / f"v/{name}.mp4", fps=1, pictures=pictures)
    report = framefind.open(tmp_path / "l", model=f"local-dir:{folder}").index(tmp_path / "v")
    reason = "the model gives no finite vectors of the frame at 0:0"
    assert report.failed == {str(tmp_path / "v/a.mp4"): f"{reason}0"}
    assert report.partial == {str(tmp_path / "v/b.mp4"): f"{reason}1"}
    videos = {Path(video.path).stem: video for video in framefind.open(tmp_path / "l").videos()}
    frames = {name: (video.status, video.frames) for name, video in videos.items()}
    assert frames == {"a": ("failed", 0), "b": ("partial", 1), "c": ("indexed", 2)}
