"""Make `mini`, from clones of public repositories to the shipped files and their numbers.

    python training/make.py --clones DIR --out DIR

Goes on where it stopped. `OUT/work` holds what is computed once; delete a file to compute it again.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from clones import Roots
from export import export
from prepare import prepare
from sources import TRAIN
from train import train

STEPS = (1500, 1800)  # of the heads, and of the blocks and heads
MEASURE = Path(__file__).parents[1] / "benchmarks" / "mini.py"
TRIAL = ("flickr8k", "sports100", "caltech101")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="print how to get the clones, and stop")
    parser.add_argument("--clones", type=Path, help="folder of owner+name/repo")
    parser.add_argument("--shards", type=Path, default=Path("../shared/data/pictures"))
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--name", default="mini-13")
    parser.add_argument("--trial", action="store_true", help="little of all, in some minutes")
    options = parser.parse_args()
    if options.list:
        parts = [part.repository for source in TRAIN.values() for part in source.parts]
        for name in dict.fromkeys(parts):
            print(f"git clone --bare https://github.com/{name} {name.replace('/', '+')}/repo")
        return
    if not (options.clones and options.out):
        parser.error("--clones and --out are needed")
    work, model = options.out / "work", options.out / options.name
    names, most, *steps = (TRIAL, 300, 20, 12) if options.trial else (tuple(TRAIN), None, *STEPS)
    prepare(Roots(options.clones, options.shards), options.wordnet, work, names, most)
    export(train(work, names, *steps), work, names, model)
    command = [sys.executable, str(MEASURE), "--work", str(work), "--model", str(model)]
    numbers = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (options.out / "numbers.txt").write_text(numbers)
    print(numbers)


if __name__ == "__main__":
    main()
