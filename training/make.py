"""Make `mini`, from clones of public repositories to the shipped files and their numbers."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from clones import Roots
from export import export
from prepare import check, prepare
from sources import TRAIN
from train import train

from framefind.errors import FramefindError
from framefind.files.disk import replace

STEPS = (1500, 1800)  # of the heads, and of the blocks and heads
MEASURE = Path(__file__).parents[1] / "benchmarks" / "mini.py"
TRIAL = ("flickr8k", "sports100", "caltech101")


def claim(work: Path, run: list[object]) -> None:
    """Refuse a folder that holds a run over other sources, of another size or of other steps."""
    file = work / "run.json"
    if not file.exists():
        work.mkdir(parents=True, exist_ok=True)
        replace(file, json.dumps(run).encode())
    if json.loads(file.read_text()) != run:
        raise FramefindError(f"{work} is of another run: choose another --out, or delete it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print how to get the clones, and stop")
    parser.add_argument("--clones", type=Path, help="folder of owner+name/repo")
    parser.add_argument("--shards", type=Path, help="folder of the sample, in Parquet files")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--out", type=Path, help="of an earlier run: goes on where that stopped")
    parser.add_argument("--trial", action="store_true", help="little of all, in some minutes")
    options = parser.parse_args()
    names, most, *steps = (TRIAL, 300, 20, 12) if options.trial else (tuple(TRAIN), None, *STEPS)
    if options.list:
        parts = [part.repository for name in names for part in TRAIN[name].parts]
        for name in dict.fromkeys(parts):
            print(f"git clone --bare https://github.com/{name} {name.replace('/', '+')}/repo")
        return
    if not (options.clones and options.shards and options.out):
        parser.error("--clones, --shards and --out are needed")
    work = options.out / "work"
    model = options.out / "mini-13"
    roots = Roots(options.clones, options.shards, options.wordnet)
    try:
        check(roots, names)
        claim(work, [[*names], most, steps])
        prepare(roots, work, names, most)
    except FramefindError as error:
        sys.exit(str(error))
    export(train(work, names, *steps), work, names, model)
    command = [sys.executable, str(MEASURE), "--work", str(work), "--model", str(model)]
    numbers = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    (options.out / "numbers.txt").write_text(numbers)
    print(numbers)


if __name__ == "__main__":
    main()
