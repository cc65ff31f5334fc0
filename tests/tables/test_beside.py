"""`maintain`, beside processes that are publishing."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import framefind
from framefind.tables.tables import Tables
from rows import FINGERPRINT, publish, visible, whole, write

WRITER = """
import sys
from framefind.tables.tables import Tables
from framefind.tables.address import lock
from rows import publish, write
uri, name = sys.argv[1:]
tables = Tables.open(uri)
with lock(uri, exclusive=False, doing="streaming"):
    for n in range(15):
        files, row = write(tables, f"{name}-{n}")
        assert tables.publish(files, [row], transaction=(name, n))
        assert not tables.publish(files, [row], transaction=(name, n))
        if n % 3 == 2:
            publish(tables, f"{name}-{n - 1}", frames=4)
        if n % 5 == 4:
            tables.publish(removed=[f"{name}-{n - 2}"])
"""
KEEPER = """
import sys
import framefind
library, done = framefind.open(sys.argv[1]), 0
while True:
    library.maintain()
    done += 1
    print(done, flush=True)
"""


def start(code: str, *arguments: str) -> "subprocess.Popen[str]":
    paths = [str(Path(__file__).parents[1]), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def expected(name: str) -> dict[str, list[float]]:
    times = {f"{name}-{n}": whole() for n in range(15)}
    times |= {f"{name}-{n - 1}": whole(4) for n in range(2, 15, 3)}
    for n in range(4, 15, 5):
        del times[f"{name}-{n - 2}"]
    return times


def test_what_is_published_meanwhile_is_there_once(tmp_path: Path) -> None:
    tables = Tables.create(tmp_path / "a.framefind", FINGERPRINT)
    publish(tables, "before")
    written, row = write(tables, "slow")  # published only when all is over
    appended, other = write(tables, "slower")
    tables.publish(appended)
    young, old = (Path(tables.address("frames"), f"{name}.parquet") for name in ("young", "old"))
    for file in (young, old):
        file.write_bytes(b"from a writer that was killed")
    week = time.time() - 7 * 24 * 3600
    os.utime(young, (week + 3600, week + 3600))
    os.utime(old, (week - 3600, week - 3600))
    keepers = [start(KEEPER, tables.uri) for _ in range(2)]
    writers = [start(WRITER, tables.uri, name) for name in ("a", "b", "c")]
    assert [writer.wait(timeout=250) for writer in writers] == [0, 0, 0]
    for keeper in keepers:
        assert keeper.poll() is None, "maintain has failed"
        assert keeper.stdout
        assert keeper.stdout.readline()
        keeper.kill()
    tables.publish(written, [row])
    tables.publish(videos=[other])
    framefind.open(tables.uri).maintain()
    wanted = {"before": whole(), "slow": whole(), "slower": whole()}
    assert visible(tables) == wanted | expected("a") | expected("b") | expected("c")
    assert set(Counter(video.video_id for video in tables.videos()).values()) == {1}
    assert tables.versions()[1] > 0
    assert young.exists()
    assert not old.exists()
