"""Leave only the text tower of an older model in the package: old libraries can still be asked.

    python training/retire.py src/framefind/models/mini-1

The manifest keeps the hash of all its weights, by which a library knows its model.
"""

import argparse
import json
from pathlib import Path

from framefind.models.hashes import weights_hash


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    file = folder / "manifest.json"
    facts = json.loads(file.read_text())
    image, text = facts["image"]["file"], facts["text"]
    names = (image, text["file"], text["tokenizer"])
    facts["weights"] = weights_hash([folder / name for name in names])
    file.write_text(json.dumps(facts, indent=1) + "\n")
    if image == Path(image).name:  # otherwise it is that of a newer version
        (folder / image).unlink()


if __name__ == "__main__":
    main()
