import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from PIL import Image

import framefind
from conftest import write_clip
from framefind.output.json import read_schema
from terminal import run

COLUMNS = ["path", "start", "end", "t", "score", "confidence"]


def imported(*arguments: str | Path) -> set[str]:
    """The modules that a run has imported when it exits."""
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from framefind.cli.main import main\n"
        f"sys.argv = ['framefind', *{list(map(str, arguments))!r}]\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in ended.stderr.splitlines()[-1].split()}


class TestIndex:
    def test_says_what_it_did_on_stderr(self, clips, tmp_path):
        folder = tmp_path / "l"
        first = run("index", clips, "--count", 2, "--views", "whole", "-l", folder)
        assert (first.returncode, first.stdout) == (0, "")
        assert "4 indexed" in first.stderr
        assert "8 frames" in first.stderr
        again = run("index", clips, "--count", 2, "--views", "whole", "--json", "-l", folder)
        assert again.returncode == 0
        assert json.loads(again.stdout)["unchanged"] == 4
        assert {row.sampler for row in framefind.open(folder).videos()} == {"count=2"}

    def test_exits_with_3_and_names_each_failure(self, clips, tmp_path):
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"no film")
        ended = run("index", clips / "c.mp4", broken, "nothing.mp4", "-l", tmp_path / "l")
        assert (ended.returncode, ended.stdout) == (3, "")
        assert str(broken) in ended.stderr
        assert "nothing.mp4" in ended.stderr
        assert "1 indexed" in ended.stderr

    def test_a_folder_without_videos_says_so(self, tmp_path):
        (tmp_path / "empty").mkdir()
        ended = run("index", tmp_path / "empty", "-l", tmp_path / "l")
        assert ended.returncode == 0
        assert "no videos found" in ended.stderr

    def test_dry_run(self, clips, tmp_path):
        ended = run("index", clips, "--dry-run", "-l", tmp_path / "l")
        assert ended.returncode == 0
        assert "4 videos to index" in ended.stdout
        assert "22 frames" in ended.stdout
        assert not (tmp_path / "l").exists()

    @pytest.mark.parametrize(
        "wrong",
        [
            [],
            ["x", "--every", "0"],
            ["x", "--every", "1", "--keyframes"],
            ["x", "--random", "1"],
            ["x", "--count", "0"],
            ["x", "--views", "all"],
            ["x", "--unknown"],
            [""],
            ["x", ""],
            ["x", "--glob", ""],
        ],
    )
    def test_exits_with_2_when_it_is_used_wrongly(self, wrong, tmp_path):
        ended = run("index", *wrong, "-l", tmp_path / "l")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr
        assert not (tmp_path / "l").exists()

    def test_reembed_needs_no_paths(self, clips, tmp_path):
        run("index", clips / "c.mp4", "-l", tmp_path / "l")
        ended = run("index", "--reembed", "--model", "mini", "-l", tmp_path / "l")
        assert ended.returncode == 0, ended.stderr
        assert "1 indexed" in ended.stderr

    def test_exits_with_1_when_it_is_no_library(self, clips, tmp_path):
        (tmp_path / "mine.txt").touch()
        ended = run("index", clips, "-l", tmp_path)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "not a framefind library" in ended.stderr
        assert "Traceback" not in ended.stderr


class TestSearch:
    def test_lines_of_six_fields(self, shared_library):
        ended = run("search", "a dog", "--limit", 3, "-l", shared_library.uri)
        assert (ended.returncode, ended.stderr) == (0, "")
        rows = [line.split("\t") for line in ended.stdout.splitlines()]
        page = shared_library.search("a dog", limit=3)
        assert [row[0] for row in rows] == [moment.path for moment in page]
        assert [row[:4] for row in rows] == [
            [one.path, str(one.start), str(one.end), str(one.t)] for one in page
        ]
        assert all(len(row) == len(COLUMNS) for row in rows)

    def test_odd_names_are_escaped(self, tmp_path):
        name = "tab\tline\nback\\slash 🎬.mp4"
        write_clip(tmp_path / "films" / name, [1])
        library = framefind.open(tmp_path / "l")
        library.index(tmp_path / "films", sampler="count=1", views="whole")
        (line,) = run("search", "a dog", "-l", library.uri).stdout.splitlines()
        assert line.split("\t")[0].endswith("tab\\tline\\nback\\\\slash 🎬.mp4")
        said = run("search", "a dog", "--json", "-l", library.uri).stdout
        assert json.loads(said)["moments"][0]["path"] == str(tmp_path / "films" / name)

    @pytest.mark.parametrize("by", ["moment", "video"])
    def test_json_is_one_document_of_the_schema(self, shared_library, by):
        ended = run("search", "ein Hund", "--json", "--by", by, "-l", shared_library.uri)
        document = json.loads(ended.stdout)
        Draft202012Validator(read_schema()).validate(document)
        assert document["query"]["text"] == "ein Hund"
        assert document[f"{by}s"]

    def test_a_batch_is_a_document_a_line(self, shared_library, tmp_path):
        texts = ["a dog", "ein Hund"]
        (tmp_path / "queries.txt").write_text("\n\n".join(texts))
        ended = run("search", "--batch", tmp_path / "queries.txt", "-l", shared_library.uri)
        documents = [json.loads(line) for line in ended.stdout.splitlines()]
        assert [document["query"]["text"] for document in documents] == texts
        for text, document in zip(texts, documents, strict=True):
            Draft202012Validator(read_schema()).validate(document)
            page = shared_library.search(text)
            assert [m["score"] for m in document["moments"]] == [m.score for m in page]

    def test_a_line_that_asks_for_nothing_is_named_and_the_others_are_answered(
        self, shared_library, tmp_path
    ):
        (tmp_path / "queries.txt").write_text("a dog\n\n---\nsnow\n")
        ended = run("search", "--batch", tmp_path / "queries.txt", "-l", shared_library.uri)
        texts = [json.loads(line)["query"]["text"] for line in ended.stdout.splitlines()]
        assert texts == ["a dog", "snow"]
        assert f"{tmp_path / 'queries.txt'}, line 3: '---' holds no word" in ended.stderr
        assert ended.returncode == 3

    def test_a_batch_takes_all_options(self, shared_library, tmp_path):
        texts = ["a dog", "ein Hund", "snow", "5:30 train", "red"]
        (tmp_path / "queries.txt").write_text("\n".join(texts))
        options = ["--then", "blurred colours", "--limit", 2, "--offset", 1, "--minus", "a car"]
        options += ["--image", "a.mp4@1", "--max-duration", "0:08", "--json"]
        ended = run(
            "search", "--batch", tmp_path / "queries.txt", *options, "-l", shared_library.uri
        )
        lines = ended.stdout.splitlines()
        for text, line in zip(texts, lines, strict=True):
            alone = run("search", text, *options, "-l", shared_library.uri)
            assert json.loads(line) == json.loads(alone.stdout)

    def test_pictures_and_boxes(self, shared_library):
        images = ["a.mp4@0:01", "d.mp4@4#0,0,0.75,1"]
        options = [word for image in images for word in ("--image", image)]
        found = json.loads(run("search", *options, "--json", "-l", shared_library.uri).stdout)
        Draft202012Validator(read_schema()).validate(found)
        assert found["query"]["image"] == images
        page = shared_library.search(image=images)
        assert [one["score"] for one in found["moments"]] == [one.score for one in page]
        wrong = run("search", "--image", "d.mp4@4#0,0,100,50", "-l", shared_library.uri)
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert "fractions of the picture" in wrong.stderr

    def test_what_follows_is_in_the_document_and_the_lines(self, sequences, followed_by):
        first, second = followed_by
        asked = ["search", first, "--then", second, "-l", sequences.uri]
        document = json.loads(run(*asked, "--json").stdout)
        Draft202012Validator(read_schema()).validate(document)
        then = document["moments"][0]["then"]
        line = run(*asked).stdout.splitlines()[0].split("\t")
        assert [float(time) for time in line[6:]] == [then["start"], then["end"], then["t"]]

    def test_all_options(self, shared_library):
        options = ["--plus", "2:snow", "--minus", "a car", "--image", "a.mp4@0:01", "--offset", 1]
        options += ["--min-score", -100, "--min-confidence", 0, "--video", "[ad].mp4"]
        options += ["--from", "0:01", "--to", "8s", "--after", "2001-01-01", "--limit", 2]
        options += ["--min-duration", "0:03", "--max-duration", "1:00"]
        ended = run("search", *options, "--json", "-l", shared_library.uri)
        assert ended.returncode == 0, ended.stderr
        page = shared_library.search(
            image="a.mp4@1",
            plus=["2:snow"],
            minus=["a car"],
            offset=1,
            limit=2,
            min_score=-100,
            video="[ad].mp4",
            start=1.0,
            end=8.0,
        )
        found = json.loads(ended.stdout)
        assert found["total"] == page.total
        assert [one["t"] for one in found["moments"]] == [one.t for one in page]

    def test_nothing_found_is_no_error(self, shared_library):
        ended = run("search", "a dog", "--min-score", 101, "-l", shared_library.uri)
        assert (ended.returncode, ended.stdout) == (0, "")
        assert "no moment found" in ended.stderr

    def test_a_missing_library_is_an_error(self, tmp_path):
        ended = run("search", "a dog", FRAMEFIND_LIBRARY=str(tmp_path / "none"))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "`framefind index` makes one" in ended.stderr
        assert not (tmp_path / "none").exists()

    def test_a_wrong_time_is_wrong_usage(self, shared_library):
        ended = run("search", "a dog", "--from", "soon", "-l", shared_library.uri)
        assert (ended.returncode, ended.stdout) == (2, "")

    def test_a_contact_sheet(self, shared_library, tmp_path):
        sheet = tmp_path / "sheet.jpg"
        ended = run("search", "a dog", "--sheet", sheet, "-l", shared_library.uri)
        assert ended.returncode == 0, ended.stderr
        with Image.open(sheet) as picture:
            assert picture.format == "JPEG"
        wrong = run("search", "a dog", "--sheet", tmp_path / "sheet.xyz", "-l", shared_library.uri)
        assert wrong.returncode == 2
        nowhere = tmp_path / "none" / "sheet.jpg"
        assert run("search", "a dog", "--sheet", nowhere, "-l", shared_library.uri).returncode == 1

    @pytest.mark.skipif(sys.platform == "win32", reason="the player is a shell script")
    def test_opens_the_best_moment_in_a_player(self, shared_library, tmp_path):
        player = tmp_path / "bin" / "mpv"
        told = tmp_path / "told"
        os.mkfifo(told)
        player.parent.mkdir()
        player.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}\n')
        player.chmod(0o755)
        path = f"{player.parent}{os.pathsep}{os.environ['PATH']}"
        ended = run("search", "a dog", "--open", "-l", shared_library.uri, PATH=path)
        assert ended.returncode == 0
        best = shared_library.search("a dog")[0]
        assert told.read_text().splitlines() == [f"--start={best.start:.3f}", best.path]


class TestUsage:
    @pytest.mark.parametrize(
        "wrong",
        [
            ["--limit", "0"],
            ["--offset", "-1"],
            ["--min-confidence", "2"],
            ["--min-score", "nan"],
            ["--by", "foo"],
            ["--by", "video", "--rank", "foo"],
            ["--then", "b", "--within", "-5"],
            ["--from", "nan"],
            ["--from", "0:10", "--to", "0:05"],
            ["--plus", "nan:snow"],
            ["--after", "yesterday"],
            ["--device", "foo"],
            ["--video", "nosuch"],
            ["--video", "none", "--video", "nosuch*"],
            ["--video", ""],
        ],
        ids=" ".join,
    )
    def test_is_said_and_exits_with_2(self, shared_library, wrong):
        ended = run("search", "a dog", *wrong, "-l", shared_library.uri)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert wrong[-1] in ended.stderr or "lies between" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "no video of the library" in ended.stderr or "nosuch" not in wrong[-1]

    def test_the_first_years_are_dates(self, shared_library):
        ended = run("search", "a dog", "--after", "0001-01-01", "-l", shared_library.uri)
        assert "Traceback" not in ended.stderr
        assert "internal error" not in ended.stderr


class TestOthers:
    def test_videos_status_and_doctor(self, shared_library):
        videos = run("videos", "[ab].mp4", "-l", shared_library.uri)
        assert [os.path.basename(line.split("\t")[0]) for line in videos.stdout.splitlines()] == [
            "a.mp4",
            "b.mp4",
        ]
        listed = json.loads(run("videos", "--json", "-l", shared_library.uri).stdout)
        assert len(listed["videos"]) == 4
        status = json.loads(run("status", "--json", "-l", shared_library.uri).stdout)
        assert status["frames"] == 22
        assert "22 of" in run("status", "-l", shared_library.uri).stdout
        doctor = run("doctor", "-l", shared_library.uri)
        assert (doctor.returncode, doctor.stdout.count("FAIL")) == (0, 0), doctor.stdout

    def test_remove_prune_and_maintain(self, copied_clips, tmp_path):
        library = framefind.open(tmp_path / "l")
        library.index(copied_clips, sampler="count=1", views="whole")
        removed = run("remove", "a.mp4", "-l", library.uri)
        assert removed.stdout == f"{copied_clips / 'a.mp4'}\n"
        assert "1 video removed" in removed.stderr
        shutil.rmtree(copied_clips / "deep")
        assert run("prune", "-l", library.uri).stdout == f"{copied_clips / 'deep' / 'd.mp4'}\n"
        assert run("maintain", "-l", library.uri).returncode == 0
        assert run("remove", "--purge", "-l", library.uri).returncode == 0
        assert len(library.videos()) == 2
        assert run("remove", "-l", library.uri).returncode == 2

    def test_restore_can_be_tried(self, copied_clips, tmp_path):
        library = framefind.open(tmp_path / "l")
        library.index(copied_clips, sampler="count=1", views="whole")
        (path,) = library.remove("a.mp4")
        tried = run("restore", "a.mp4", "--dry-run", "-l", library.uri)
        assert (tried.returncode, tried.stdout) == (0, f"{path}\n")
        assert tried.stderr == "1 path can be restored\n"
        assert len(library.videos()) == 3
        assert run("restore", "a.mp4", "-l", library.uri).stderr == "1 path restored\n"
        assert len(library.videos()) == 4

    def test_maintain_fails_on_an_unreadable_data_file(self, copied_clips, tmp_path):
        library = framefind.open(tmp_path / "l")
        library.index(copied_clips / "c.mp4", sampler="count=1", views="whole")
        (file,) = (tmp_path / "l" / "frames").glob("*.parquet")
        file.write_bytes(file.read_bytes()[:300])
        ended = run("maintain", "-l", library.uri)
        assert ended.returncode == 1
        assert file.name in ended.stderr
        assert "1 data file could not be read" in ended.stderr

    def test_version(self):
        assert run("--version").stdout == f"framefind {framefind.__version__}\n"

    def test_an_unknown_command_is_wrong_usage(self):
        assert run("find").returncode == 2


class TestImports:
    HEAVY = {"av", "deltalake", "numpy", "onnxruntime", "PIL", "pyarrow", "tokenizers"}  # noqa: RUF012

    @pytest.mark.parametrize("command", [["--help"], ["index", "--help"], ["search", "--help"]])
    def test_help_imports_nothing_heavy(self, command):
        modules = imported(*command)
        assert "typer" in modules
        assert not modules & self.HEAVY

    def test_search_reads_the_index_alone(self, shared_library):
        shared_library.search("a dog")  # so that all is up to date
        modules = imported("search", "a dog", "-l", shared_library.uri)
        assert {"numpy", "onnxruntime"} <= modules
        assert not modules & {"av", "deltalake", "faiss", "pandas", "PIL", "pyarrow", "torch"}

    def test_the_package_itself_is_light(self):
        script = "import sys, framefind; print(*sys.modules)"
        ended = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert not {name.partition(".")[0] for name in ended.stdout.split()} & self.HEAVY
