"""`serve --watch`: what comes into a folder can be searched, and jobs still have their turn."""

import time

from serving import serve

from conftest import write_clip
from framefind.files import config


def test_what_comes_is_searchable_and_jobs_run_beside_it(tmp_path):
    folder = tmp_path / "watched"
    folder.mkdir()
    write_clip(tmp_path / "other" / "b.mp4", [2])
    library = tmp_path / "a.framefind"
    config.write_setting(library / config.NAME, "read", ["none"])
    with serve(library, "--watch", str(folder)) as site, site.client() as http:
        write_clip(folder / "a.mp4", [1])
        response = http.post("/v1/jobs", json={"path": str(tmp_path / "other")})
        job = response.json()
        assert response.status_code < 300, job
        end = time.monotonic() + 120
        paths: list[str] = []
        while len(paths) < 2 and time.monotonic() < end:
            time.sleep(0.2)
            paths = sorted(row["path"] for row in http.get("/v1/videos").json()["videos"])
        assert paths == [str(tmp_path / "other" / "b.mp4"), str(folder / "a.mp4")]
        while (job := http.get(f"/v1/jobs/{job['id']}").json())["state"] != "done":
            assert job["state"] in ("queued", "running"), job
            assert time.monotonic() < end
            time.sleep(0.2)
    assert config.read_settings(str(library))["folders"].value == [str(folder)]
