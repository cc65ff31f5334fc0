import io
import time

import httpx
import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from serving import serve

from conftest import scene, write_clip
from framefind.output.json import read_schema

pytest_plugins = ["serving"]

VALID = Draft202012Validator(read_schema())


def found(answer: httpx.Response) -> dict:
    assert answer.status_code == 200, answer.text
    document = answer.json()
    VALID.validate(document)
    return document


def png(seed: int, size: tuple[int, int] = (160, 120)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(scene(seed, *size)).save(file, "PNG")
    return file.getvalue()


class TestText:
    def test_is_what_the_library_finds(self, api, shared_library):
        document = found(api.get("/v1/search", params={"q": "a dog", "limit": 3}))
        page = shared_library.search("a dog", limit=3)
        assert document["total"] == page.total
        for moment, right in zip(document["moments"], page.moments, strict=True):
            assert (moment["path"], moment["start"], moment["t"]) == (
                right.path,
                right.start,
                right.t,
            )
            assert moment["score"] == pytest.approx(right.score, abs=1e-4)
            assert moment["confidence"] == pytest.approx(right.confidence, abs=1e-6)
            assert moment["box"] == pytest.approx(right.box)
        assert document["query"]["text"] == "a dog"

    def test_pages_follow_each_other(self, api):
        whole = found(api.get("/v1/search", params={"q": "a dog", "limit": 8}))["moments"]
        parts = [
            found(api.get("/v1/search", params={"q": "a dog", "limit": 2, "offset": at}))
            for at in (0, 2, 4, 6)
        ]
        assert [moment for part in parts for moment in part["moments"]] == whole[:8]

    def test_sums_and_filters_reach_the_library(self, api, shared_library):
        asked = {"plus": ["snow", "2:ice"], "minus": ["a car"], "video": ["a.mp4", "deep"]}
        times = {"from": "0:01", "to": "4.5"}
        document = found(api.get("/v1/search", params={"q": "a dog", **asked, **times}))
        right = shared_library.search("a dog", **asked, start=1.0, end=4.5, limit=24)
        assert [moment["start"] for moment in document["moments"]] == [m.start for m in right]
        sure = found(api.get("/v1/search", params={"q": "a dog", "min_confidence": 0.99}))
        assert sure["total"] == shared_library.search("a dog", min_confidence=0.99).total
        score = document["moments"][0]["score"]
        params = {"q": "a dog", **asked, **times, "min_score": score - 0.001}
        assert found(api.get("/v1/search", params=params))["total"] >= 1
        assert not found(api.get("/v1/search", params={"q": "a", "before": "1999-12-31"}))["total"]
        assert found(api.get("/v1/search", params={"q": "a", "after": "1999-12-31"}))["total"]

    def test_then_tells_both_times(self, sequences, followed_by):
        query, then = followed_by
        with serve(sequences.uri) as site, site.client() as api:
            params = {"q": query, "then": then, "within": 1.5}
            moments = found(api.get("/v1/search", params=params))["moments"]
        assert moments
        assert all(moment["then"]["start"] > moment["start"] for moment in moments)
        assert all(moment["then"]["end"] > moment["end"] for moment in moments)
        assert all(moment["then"]["start"] <= moment["end"] + 1.5 for moment in moments)
        assert all(0 <= moment["confidence"] <= moment["then"]["confidence"] for moment in moments)

    def test_by_video_groups(self, api):
        document = found(api.get("/v1/search", params={"q": "a dog", "by": "video", "rank": "max"}))
        assert document["total"] == 4
        assert all(video["moments"][0]["thumbnail"] for video in document["videos"])

    def test_long_and_short_videos(self, api):
        params = {"q": "a dog", "by": "video", "min_duration": 5, "max_duration": 7}
        (video,) = found(api.get("/v1/search", params=params))["videos"]
        assert video["path"].endswith("a.mp4")

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"q": ""},
            {"q": "   "},
            {"minus": ["a"]},
            {"q": "a", "limit": 0},
            {"q": "a", "limit": 100000},
            {"q": "a", "offset": -1},
            {"q": "a", "by": "folder"},
            {"q": "a", "from": "soon"},
            {"q": "a", "within": "nan"},
            {"q": "a", "after": "0001-01-01"},
            {"q": "a", "unknown": "1"},
            {"q": "a" * 1001},
            {"image": "/etc/passwd"},
            {"image": "http://127.0.0.1:1/a.jpg"},
            {"image": "f" * 32 + "@1"},
            {"q": "a", "then": "b", "by": "video"},
            {"q": "a", "plus": ["x"] * 17},
            {"q": "a", "video": "\0"},
        ],
    )
    def test_what_is_no_query_is_a_problem(self, api, params):
        answer = api.get("/v1/search", params=params)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 422


class TestPicture:
    def test_of_a_frame_of_the_library(self, api, shared_library):
        (video,) = (row for row in shared_library.videos() if row.path.endswith("b.mp4"))
        document = found(api.get("/v1/search", params={"image": f"{video.video_id}@3.5"}))
        assert document["moments"][0]["video_id"] == video.video_id
        assert document["moments"][0]["t"] == pytest.approx(3.0)
        assert document["moments"][0]["score"] > 99

    def test_that_is_uploaded(self, api):
        answer = api.post("/v1/search", files={"image": png(7)}, data={"limit": "3"})
        moment = found(answer)["moments"][0]
        assert moment["path"].endswith("d.mp4")
        assert 2.0 <= moment["t"] < 4.0

    def test_with_texts(self, api, shared_library):
        fields = {"plus": ["snow", "ice"], "minus": "a car"}
        answer = found(api.post("/v1/search", files={"image": png(7)}, data=fields))
        right = shared_library.search(image=png(7), plus=["snow", "ice"], minus=["a car"])
        assert answer["moments"][0]["score"] == pytest.approx(right[0].score, abs=1e-3)

    def test_several_are_summed(self, api):
        files = [("image", png(1)), ("image", png(4))]
        document = found(api.post("/v1/search", files=files, data={"by": "video"}))
        names = {video["path"].rsplit("/")[-1] for video in document["videos"][:3]}
        assert {"b.mp4"} < names

    def test_of_which_a_part_is_meant(self, api):
        beside = Image.new("RGB", (320, 120))
        beside.paste(Image.fromarray(scene(7)), (160, 0))
        file = io.BytesIO()
        beside.save(file, "PNG")
        whole = found(api.post("/v1/search", files={"image": file.getvalue()}))
        data = {"box": "0.5,0,0.5,1"}
        part = found(api.post("/v1/search", files={"image": file.getvalue()}, data=data))
        assert part["moments"][0]["score"] > whole["moments"][0]["score"]
        assert 2.0 <= part["moments"][0]["t"] < 4.0

    @pytest.mark.parametrize("content", [b"", b"no picture", png(1)[:100], b"GIF89a" * 10])
    def test_that_is_none_is_a_problem(self, api, content):
        answer = api.post("/v1/search", files={"image": content})
        assert answer.status_code == 422
        assert "/" not in answer.json()["detail"]

    @pytest.mark.parametrize("box", ["1,2", "a,b,c,d", "0,0,0,0", "0.5,0,0.6,1", "nan,0,1,1"])
    def test_wrong_boxes_are_problems(self, api, box):
        answer = api.post("/v1/search", files={"image": png(1)}, data={"box": box})
        assert answer.status_code == 422


class TestScores:
    def test_are_those_of_the_moments(self, api, shared_library):
        document = found(api.get("/v1/search", params={"q": "a dog"}))
        for moment in document["moments"]:
            url = f"/v1/videos/{moment['video_id']}/scores"
            scores = api.get(url, params={"q": "a dog"}).json()
            at = scores["times"].index(moment["t"])
            assert scores["scores"][at] == pytest.approx(moment["score"], abs=1e-3)
            assert scores["confidences"][at] == pytest.approx(moment["confidence"], abs=1e-5)
            span = zip(scores["times"], scores["scores"], strict=True)
            inside = [score for t, score in span if moment["start"] <= t < moment["end"]]
            assert max(inside) == scores["scores"][at]

    def test_of_no_video_are_missing(self, api):
        assert api.get(f"/v1/videos/{'0' * 32}/scores", params={"q": "a"}).status_code == 404
        assert api.get("/v1/videos/nonsense/scores", params={"q": "a"}).status_code == 422


class TestConcurrency:
    def test_many_at_once_get_their_own_answers(self, served):
        from concurrent.futures import ThreadPoolExecutor

        texts = [f"{colour} {thing}" for colour in ("red", "blue") for thing in "abcdefgh"]
        with served.client() as client:
            right = {text: client.get("/v1/search", params={"q": text}).json() for text in texts}

            def ask(text: str) -> dict:
                return client.get("/v1/search", params={"q": text}).json()

            with ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(ask, texts * 6))
        for text, answer in zip(texts * 6, answers, strict=True):
            assert answer["query"]["text"] == text
            ids = [(moment["video_id"], moment["t"]) for moment in answer["moments"]]
            assert ids == [(m["video_id"], m["t"]) for m in right[text]["moments"]]

    def test_a_wrong_query_among_many_spoils_no_other(self, served):
        from concurrent.futures import ThreadPoolExecutor

        with served.client() as client, ThreadPoolExecutor(16) as pool:
            texts = ["a dog", " ", "a cat", "\t"] * 12
            answers = pool.map(lambda q: client.get("/v1/search", params={"q": q}), texts)
            statuses = [answer.status_code for answer in answers]
        assert statuses == [200, 422, 200, 422] * 12


def test_what_is_indexed_elsewhere_is_found_soon(library, tmp_path):
    with serve(library.uri) as site, site.client() as client:
        before = client.get("/v1/search", params={"q": "a", "by": "video"}).json()["total"]
        library.index(write_clip(tmp_path / "new.mp4", [20]))
        for _ in range(600):
            listed = client.get("/v1/videos").json()["total"]
            after = client.get("/v1/search", params={"q": "a", "by": "video"}).json()["total"]
            if listed == after == before + 1:
                break
            time.sleep(0.1)
        assert listed == after == before + 1


def test_no_library_yet_is_an_empty_one(tmp_path):
    with serve(tmp_path / "none.framefind") as site, site.client() as client:
        assert client.get("/readyz").status_code == 200
        assert not client.get("/v1/library").json()["exists"]
        assert found(client.get("/v1/search", params={"q": "a"}))["total"] == 0
        assert client.get("/v1/videos").json()["total"] == 0
        assert not (tmp_path / "none.framefind").exists()
