"""What a Python worker of Spark may import, and what it may send."""

import os
import shutil
import subprocess

import pytest

from framefind.processes import python_command

pytest.importorskip("pyspark")


def test_nothing_is_imported_from_the_working_directory(planted, clips, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(clips / "c.mp4", videos)
    command = [*python_command("framefind.cli"), "index", str(videos), "--engine", "spark"]
    command += ["--master", "local[1]", "--library", str(tmp_path / "l")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 indexed" in done.stdout + done.stderr
    assert not planted.exists()


def test_telemetry_is_off_in_tasks(spark):
    def switches(batches):
        import framefind  # noqa: F401  as what runs there does

        for batch in batches:
            batch["off"] = os.environ.get("ORT_DISABLE_TELEMETRY")
            yield batch

    (row,) = spark.range(1).mapInPandas(switches, "id long, off string").collect()
    assert row.off == "1"
