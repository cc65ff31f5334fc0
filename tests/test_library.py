import io
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framefind
from conftest import assert_same, content, scene, write_clip
from framefind import LibraryError, Moment, QueryError
from framefind.errors import ModelError, UsageError
from framefind.index import build
from framefind.models import registry
from framefind.tables.address import lock
from media import RED, film

pytestmark = pytest.mark.usefixtures("no_words")

CHOICE = {"sampler": "count=2", "views": "whole"}
EVERY = {"limit": 1000, "min_score": -100.0}


def names(paths: "list[str]") -> list[str]:
    return sorted(os.path.basename(path) for path in paths)


def brute_force(library: framefind.Library, query: str) -> dict[tuple[str, float], float]:
    """The score of every frame, from the tables: cosine × 100 of its best view."""
    vector = registry.load("mini").embed_texts([query])[0].astype(float)
    return {
        (path, t): 100 * float((views.astype(float) @ vector).max())
        for path, (_, frames) in content(library).items()
        for t, _, views in frames
    }


class TestOpen:
    def test_refuses_what_is_not_a_library(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(LibraryError, match="is a file"):
            framefind.open(tmp_path / "file")
        with pytest.raises(LibraryError, match="not a framefind library"):
            framefind.open(tmp_path)

    @pytest.mark.parametrize("name", ["videos", "frames", "index"])
    def test_refuses_a_folder_of_the_users_own(self, tmp_path, name):
        write_clip(tmp_path / name / "mine.mp4", [1])
        with pytest.raises(LibraryError, match="not a framefind library"):
            framefind.open(tmp_path)

    def test_takes_an_empty_folder(self, tmp_path, clips):
        library = framefind.open(tmp_path)
        assert not library.exists
        library.index(clips / "c.mp4", **CHOICE)
        assert library.exists
        assert repr(library) == f"Library({str(tmp_path)!r})"

    def test_the_default_library(self, tmp_path, monkeypatch):
        assert framefind.open().uri.endswith("default.framefind")
        monkeypatch.setenv("FRAMEFIND_LIBRARY", str(tmp_path / "mine"))
        assert framefind.open().uri == str(tmp_path / "mine")

    @pytest.mark.parametrize(
        "use",
        [
            lambda library: library.search("a"),
            lambda library: library.search_batch(["a"]),
            lambda library: library.scores("a", video="b"),
            lambda library: library.videos(),
            lambda library: library.status(),
            lambda library: library.maintain(),
            lambda library: library.remove(["a"]),
            lambda library: library.prune(),
            lambda library: library.frame("a", 0.0),
        ],
    )
    def test_a_missing_library_is_an_error_that_says_so(self, tmp_path, use):
        library = framefind.open(tmp_path / "none")
        with pytest.raises(LibraryError, match="`framefind index` makes one"):
            use(library)
        assert not framefind.open(tmp_path / "none").exists

    def test_another_model_is_an_error_that_names_both(self, library, clips, tmp_path):
        model = registry.full_name("mini")
        other = shutil.copytree(Path(registry.__file__).parent / model, tmp_path / "model")
        with pytest.raises(LibraryError, match=f"made with {model}, not local-dir:{other}"):
            library.index(clips, model=f"local-dir:{other}")
        with pytest.raises(LibraryError, match=f"{model}, not"):
            framefind.open(library.uri, model=f"local-dir:{other}").search("a")
        assert len(framefind.open(library.uri, model="mini").search("a")) > 0

    def test_other_weights_of_the_same_name_are_an_error(self, clips, tmp_path):
        source = Path(registry.__file__).parent / registry.full_name("mini")
        folder = shutil.copytree(source, tmp_path / "model")
        library = framefind.open(tmp_path / "l")
        library.index(clips / "c.mp4", model=f"local-dir:{folder}", **CHOICE)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["image"]["resize"] = "nearest"
        (folder / "manifest.json").write_text(json.dumps(manifest))
        registry._load.cache_clear()
        with pytest.raises(LibraryError, match="other weights or preprocessing"):
            framefind.open(library.uri).search("a")

    def test_a_library_whose_model_is_gone_can_be_moved_to_another(self, copied_clips, tmp_path):
        source = Path(registry.__file__).parent / registry.full_name("mini")
        folder = shutil.copytree(source, tmp_path / "model")
        library = framefind.open(tmp_path / "l", model=f"local-dir:{folder}")
        library.index(copied_clips / "a.mp4", **CHOICE)
        found = [(one.path, one.start) for one in library.search("a dog")]
        shutil.rmtree(folder)
        registry._load.cache_clear()
        library = framefind.open(tmp_path / "l")
        with pytest.raises(ModelError, match="model"):
            library.search("a dog")
        assert len(library.reembed("mini").indexed) == 1
        assert [(one.path, one.start) for one in library.search("a dog")] == found != []


class TestSearch:
    @pytest.mark.parametrize("query", ["a dog", "red and green", "a man rides a bicycle"])
    def test_scores_are_those_of_the_tables(self, shared_library, query):
        expected = brute_force(shared_library, query)
        page = shared_library.search(query, **EVERY)
        assert page.total == len(page) > 0
        for moment in page:
            inside = {
                t: score
                for (path, t), score in expected.items()
                if path == moment.path and moment.start <= t < moment.end
            }
            assert moment.score == pytest.approx(max(inside.values()), abs=1e-3)
            assert moment.score == pytest.approx(inside[moment.t], abs=1e-3)
        best = max(expected.values())
        assert page[0].score == pytest.approx(best, abs=1e-3)
        assert {moment.path for moment in page} == {path for path, _ in expected}

    def test_order_is_score_then_path_then_start(self, shared_library):
        found = shared_library.search("a dog", **EVERY).moments
        assert found == sorted(found, key=lambda one: (-one.score, one.path, one.start))

    def test_pages_are_parts_of_the_whole(self, shared_library):
        for by in ("moment", "video"):
            whole = shared_library.search("a dog", by=by, limit=1000)
            for size in (1, 2, 3):
                pages = [
                    shared_library.search("a dog", by=by, limit=size, offset=offset)
                    for offset in range(0, whole.total, size)
                ]
                ends = [min(page.offset + size, whole.total) for page in pages]
                assert all(
                    end <= page.total <= whole.total for end, page in zip(ends, pages, strict=True)
                )
                assert [moment for page in pages for moment in page] == whole.moments
            beyond = shared_library.search("a dog", by=by, offset=whole.total)
            assert (beyond.total, len(beyond)) == (whole.total, 0)

    @pytest.mark.parametrize("name", ["score", "confidence"])
    def test_cuts_act_on_exactly_the_number_shown(self, shared_library, name):
        whole = shared_library.search("a red car", **EVERY).moments
        for moment in whole:
            shown = getattr(moment, name)
            for at, kept in ((shown, True), (float(np.nextafter(shown, np.inf)), False)):
                page = shared_library.search("a red car", limit=1000, **{f"min_{name}": at})
                assert (moment.t in [one.t for one in page if one.path == moment.path]) == kept
                assert all(getattr(one, name) >= at for one in page)

    def test_an_unrelated_video_changes_no_other(self, library, tmp_path):
        before = library.search("a dog", **EVERY).moments
        other = write_clip(tmp_path / "films" / "other.mp4", range(50, 57), 1.0)
        library.index(other)
        after = [one for one in library.search("a dog", **EVERY) if one.path != str(other)]
        assert after == before

    def test_filters_by_video(self, shared_library, clips):
        def found(*wanted: str) -> list[str]:
            page = shared_library.search("a dog", video=wanted, **EVERY)
            return sorted({os.path.basename(one.path) for one in page})

        row = shared_library.videos(["b.mp4"])[0]
        assert found("a.mp4") == found("a.*") == found("*/a.mp4") == ["a.mp4"]
        assert found(row.video_id) == found(row.path) == ["b.mp4"]
        assert found(str(clips / "deep")) == ["d.mp4"]
        assert found("a.mp4", "[bc].mp4") == ["a.mp4", "b.mp4", "c.mp4"]
        with pytest.raises(UsageError, match="nothing: no video of the library matches"):
            found("nothing")

    def test_filters_by_a_link_to_a_folder(self, shared_library, clips, tmp_path):
        link = tmp_path / "link"
        link.symlink_to(clips)
        assert names([row.path for row in shared_library.videos([f"{link}/deep"])]) == ["d.mp4"]

    def test_filters_by_time_in_the_video(self, shared_library):
        page = shared_library.search("a dog", video="d.mp4", start=3.5, end=6.0, **EVERY)
        assert len(page) > 0
        for moment in page:
            assert moment.end > 3.5
            assert moment.start <= 6.0
            assert 3.0 <= moment.t <= 6.0

    def test_filters_by_date(self, copied_clips, tmp_path):
        os.utime(copied_clips / "a.mp4", (1_000_000_000, 1_000_000_000))
        library = framefind.open(tmp_path / "l")
        library.index(copied_clips, **CHOICE)
        day = datetime.fromtimestamp(1_000_000_000, UTC)
        late = library.search("a dog", after=datetime(2002, 1, 1, tzinfo=UTC), **EVERY)
        assert names(list({one.path for one in late})) == ["b.mp4", "c.mp4", "d.mp4"]
        early = library.search("a dog", before=datetime(2002, 1, 1, tzinfo=UTC), **EVERY)
        assert names(list({one.path for one in early})) == ["a.mp4"]
        assert len(library.search("a dog", before=day)) == 0
        assert len(library.search("a dog", after=day, before=datetime(2002, 1, 1, tzinfo=UTC))) == 1

    def test_by_video(self, shared_library):
        moments = shared_library.search("a dog", limit=1000)
        for rank in ("max", "sum", "softmax"):
            page = shared_library.search("a dog", by="video", rank=rank)
            assert page.videos is not None
            assert page.total == len(page.videos) == 4
            scores = [video.score for video in page.videos]
            assert scores == sorted(scores, reverse=True)
            for video in page.videos:
                assert video.moments == [one for one in moments if one.path == video.path]
                if rank == "max":
                    assert video.score == pytest.approx(video.moments[0].score)
                if rank == "softmax":
                    assert video.score <= video.moments[0].score + 1e-4

    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"text": " "},
            {"text": "a", "by": "frame"},
            {"text": "a", "by": "video", "rank": "mean"},
            {"text": "a", "limit": 0},
            {"text": "a", "offset": -1},
            {"minus": ["a"]},
            {"image": "nothing.jpg"},
            {"image": "nothing.mp4@3"},
            {"image": ["a.mp4@1", "nothing.jpg"]},
            {"image": []},
            {"image": "a.mp4@1#0,0,2,1"},
            {"image": "https://[/@me/picture.jpg"},
        ],
    )
    def test_refuses_what_is_no_query(self, shared_library, wrong):
        with pytest.raises(QueryError):
            shared_library.search(**wrong)

    def test_sums(self, shared_library):
        one = shared_library.search("a dog", plus=["2:snow"], minus=["a car"]).moments
        other = shared_library.search(plus=["a dog", "2.0:snow"], minus=["1:a car"]).moments
        assert one == other


class TestByPicture:
    def test_a_frame_of_the_library(self, shared_library, clips):
        page = shared_library.search(image="d.mp4@4.5", min_score=98)
        assert (os.path.basename(page[0].path), page[0].start) == ("d.mp4", 4)
        assert page[0].end >= 6  # of these scenes some look alike
        assert page[0].score == pytest.approx(100, abs=0.1)
        assert (
            page.moments
            == shared_library.search(image=f"{clips}/deep/d.mp4@0:04.5", min_score=98).moments
        )

    def test_the_same_scene_in_another_video(self, shared_library):
        found = shared_library.search(image="a.mp4@0", limit=2)
        assert names([moment.path for moment in found]) == ["a.mp4", "c.mp4"]
        assert found[1].score > 99

    def test_a_moment_stands_for_its_best_view(self, shared_library):
        moment = shared_library.search("a dog")[0]
        best = shared_library.search(image=moment)[0]
        assert (best.path, best.t, best.box) == (moment.path, moment.t, moment.box)
        assert best.start <= best.t < best.end  # which frames are as likely, each query says
        assert best.score == pytest.approx(100, abs=0.1)

    def test_a_picture_of_a_scene(self, shared_library, tmp_path):
        Image.fromarray(scene(8)).save(tmp_path / "picture.png")
        found = shared_library.search(image=tmp_path / "picture.png", min_score=98)[0]
        assert (os.path.basename(found.path), found.start) == ("d.mp4", 4)
        assert 4 <= found.t < 6
        assert found.box == (0, 0, 1, 1)

    def test_several_pictures(self, shared_library, tmp_path):
        Image.fromarray(scene(8)).save(tmp_path / "picture.png")
        both = [tmp_path / "picture.png", "b.mp4@0"]
        found = shared_library.search(image=both, **EVERY).moments
        assert found == shared_library.search(image=both[::-1], **EVERY).moments
        assert found != shared_library.search(image=both[:1], **EVERY).moments
        best = {os.path.basename(one.path): one.score for one in found}
        assert min(best["d.mp4"], best["b.mp4"]) > best["c.mp4"]

    def test_a_box_of_a_picture(self, shared_library, tmp_path):
        collage = np.hstack([scene(8), scene(4)])
        Image.fromarray(collage).save(tmp_path / "collage.png")
        for box, name, start in ((0, "d.mp4", 4), (0.5, "b.mp4", 0)):
            image = f"{tmp_path}/collage.png#{box},0,0.5,1"
            found = shared_library.search(image=image)[0]
            assert os.path.basename(found.path) == name
            assert start <= found.t < start + 2
            assert found.score == pytest.approx(100, abs=1)

    def test_a_name_with_brackets(self, tmp_path):
        for name, seed in (("clip [1].mp4", 1), ("clip 1.mp4", 2)):
            write_clip(tmp_path / "films" / name, [seed])
        library = framefind.open(tmp_path / "l")
        library.index(tmp_path / "films", **CHOICE)
        assert os.path.basename(library.search(image="clip [1].mp4@0")[0].path) == "clip [1].mp4"


class TestVideos:
    def test_frame_and_thumbnails(self, shared_library):
        page = shared_library.search(image="d.mp4@4.5", limit=3)
        pictures = shared_library.thumbnails(page.moments)
        assert len(pictures) == 3
        for moment, jpeg in zip(page, pictures, strict=True):
            assert jpeg is not None
            thumbnail = np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)
            frame = shared_library.frame(moment.path, moment.t)
            assert frame.shape == thumbnail.shape == (120, 160, 3)
            assert np.abs(thumbnail - frame).mean() < 10

    def test_a_frame_of_an_unknown_video(self, shared_library):
        with pytest.raises(QueryError, match="no video"):
            shared_library.frame("nothing.mp4", 0.0)
        with pytest.raises(QueryError, match="3 videos"):
            shared_library.frame("[abc].mp4", 0.0)

    def test_status(self, shared_library):
        status = shared_library.status()
        assert (status.videos, status.frames) == ({"indexed": 4}, 22)
        assert status.hours == pytest.approx(22 / 3600)
        assert status.model == registry.full_name("mini")
        assert status.size > 10_000
        assert status.index_fresh

    def test_remove(self, library):
        before = content(library)
        (gone,) = library.remove(["a.mp4"])
        del before[gone]
        assert_same(before, content(library))
        assert "a.mp4" not in names([one.path for one in library.search("a", **EVERY)])
        assert Path(gone).exists()
        with pytest.raises(QueryError, match=r"a\.mp4: no video of the library matches"):
            library.remove(["a.mp4"])

    def test_purge_deletes_from_the_disk(self, library, clips):
        library.remove(["*"], purge=True)
        data = list(Path(library.uri, "frames").glob("*.parquet"))
        assert data == []
        assert len(library.search("a")) == 0
        assert len(library.index(clips / "c.mp4").indexed) == 1
        assert len(library.search("a")) == 1

    def test_prune_forgets_what_is_gone(self, copied_clips, tmp_path):
        library = framefind.open(tmp_path / "l")
        library.index(copied_clips, **CHOICE)
        shutil.copy(copied_clips / "b.mp4", copied_clips / "b2.mp4")
        library.index(copied_clips, **CHOICE)
        (copied_clips / "a.mp4").unlink()
        (copied_clips / "b.mp4").unlink()
        assert names(library.prune()) == ["a.mp4"]
        assert len(library.videos()) == 3
        assert library.prune() == []

    def test_maintain_changes_nothing_that_counts(self, library, clips):
        library.remove(["a.mp4"])
        library.index(clips / "a.mp4")
        before = content(library)
        found = library.search("a dog", **EVERY).moments
        library.maintain()
        assert_same(before, content(library))
        assert library.search("a dog", **EVERY).moments == found

    def test_only_what_needs_the_library_alone_waits_for_a_stream(self, library, clips):
        with lock(library.uri, exclusive=False, doing="streaming"):
            for alone in (lambda: library.index(clips), lambda: library.remove([], purge=True)):
                with pytest.raises(LibraryError, match=rf"streaming \(process {os.getpid()}\)"):
                    alone()
            library.maintain()
            assert names(library.remove(["a.mp4"])) == ["a.mp4"]
            assert library.prune() == []
        assert len(library.index(clips).indexed) == 1

    def test_an_object_store_is_not_purged(self, library):
        library.uri = f"file://{library.uri}"  # whose writers no lock would hold off
        with pytest.raises(LibraryError, match="cannot be purged: .*after a week"):
            library.remove(["*"], purge=True)
        assert len(library.videos()) == 4


class TestIndexFolder:
    def test_comes_back_equal(self, library):
        before = library.search("a dog", **EVERY)
        shutil.rmtree(Path(library.uri, "index"))
        assert framefind.open(library.uri).search("a dog", **EVERY) == before

    @pytest.mark.parametrize("damage", ["", "{}", "[]", '{"format": 99}'])
    def test_is_built_again_when_it_is_damaged(self, library, damage):
        before = library.search("a dog", **EVERY)
        Path(library.uri, "index", "manifest.json").write_text(damage)
        assert framefind.open(library.uri).search("a dog", **EVERY) == before

    def test_reads_only_what_is_new(self, library, tmp_path, calls):
        other = write_clip(tmp_path / "films" / "new.mp4", [60])
        appended = calls(build.Appender, "append")
        library.index(other)
        assert sum(len(batch) for _, batch in appended) == 2
        appended.clear()
        library.remove(["new.mp4"])
        library.search("a dog")
        assert appended == []

    def test_another_process_sees_what_was_published(self, library, tmp_path):
        reader = framefind.open(library.uri)
        before = reader.search("a dog", **EVERY).total
        library.index(write_clip(tmp_path / "films" / "new.mp4", [60]))
        assert reader.search("a dog", **EVERY).total == before + 1


class TestPlan:
    def test_says_what_would_be_done_and_does_nothing(self, copied_clips, tmp_path):
        library = framefind.open(tmp_path / "l")
        (copied_clips / "notes.txt").write_text("a film, one day")
        (copied_clips / "broken.mp4").write_bytes(b"no film")
        plan = library.plan(copied_clips)
        assert (plan.videos, plan.frames, plan.passed_over) == (4, 22, 1)
        assert names(list(plan.failed)) == ["broken.mp4"]
        assert plan.hours == pytest.approx(22 / 3600)
        assert plan.size > 0
        assert plan.seconds > 0
        assert not (tmp_path / "l").exists()

    def test_a_time_lapse_has_no_more_frames_than_it_has(self, tmp_path):
        film(tmp_path / "lapse.mp4", colours=[RED] * 6, times=range(0, 360, 60))
        assert framefind.open(tmp_path / "l").plan(tmp_path / "lapse.mp4").frames == 6

    def test_of_an_indexed_library(self, library, clips, tmp_path):
        write_clip(tmp_path / "films" / "new.mp4", [60])
        shutil.copy(clips / "a.mp4", tmp_path / "films" / "copy.mp4")
        before = library.status()
        plan = library.plan([clips, tmp_path / "films"])
        copy = str(tmp_path / "films" / "copy.mp4")
        assert (plan.videos, plan.unchanged, plan.copied) == (1, 4, [copy])
        assert library.status() == before


class TestReembed:
    def test_moves_to_another_model(self, copied_clips, tmp_path):
        source = Path(registry.__file__).parent / registry.full_name("mini")
        model = f"local-dir:{shutil.copytree(source, tmp_path / 'model')}"
        library = framefind.open(tmp_path / "l")
        library.index(copied_clips / "a.mp4", sampler="count=3", views="whole")
        library.index(copied_clips / "b.mp4", **CHOICE)
        before = content(library)
        report = library.reembed(model)
        assert len(report.indexed) == 2
        assert library.status().model == model
        assert_same(before, content(library))
        assert len(library.search("a dog")) > 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["clips", "l", "model"]

    def test_refuses_when_videos_are_missing(self, copied_clips, tmp_path):
        library = framefind.open(tmp_path / "l")
        library.index(copied_clips, **CHOICE)
        (copied_clips / "a.mp4").unlink()
        with pytest.raises(LibraryError, match="missing"):
            library.reembed("mini")
        assert len(library.videos()) == 4

    @pytest.mark.parametrize("content", ["broken", "another"])
    def test_loses_no_video_however_often_it_is_run(self, copied_clips, tmp_path, content):
        library = framefind.open(tmp_path / "l")
        library.index(copied_clips, **CHOICE)
        clip = copied_clips / "a.mp4"
        if content == "broken":
            clip.write_bytes(clip.read_bytes()[:300])
        else:
            write_clip(clip, [61])
        for _ in range(2):
            with pytest.raises(LibraryError, match=r"nothing was changed: .*a\.mp4"):
                library.reembed("mini")
        assert len([row for row in library.videos() if row.segments]) == 4


def test_real_photographs_are_found_by_what_they_show(tmp_path):
    data = pytest.importorskip("skimage.data")
    shots = {"cat": data.chelsea(), "motorcycle": data.stereo_motorcycle()[0]}
    shots |= {"photographer": data.camera(), "rocket": data.rocket()}
    pictures = [
        np.asarray(Image.fromarray(shot).convert("RGB").resize((320, 240)))
        for shot in shots.values()
    ]
    write_clip(tmp_path / "films" / "photographs.mp4", pictures, 3.0)
    library = framefind.open(tmp_path / "l")
    library.index(tmp_path / "films")
    for text, start in (
        ("a cat", 0),
        ("a motorcycle in a garage", 3),
        ("a photographer with a camera on a tripod", 6),
        ("a rocket", 9),
    ):
        moment: Moment = library.search(text)[0]
        assert start <= moment.t < start + 3, text
