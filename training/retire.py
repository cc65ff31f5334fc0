"""Leave only the text tower of an older model in the package: old libraries can still be asked.

    python training/retire.py src/framefind/models/mini-1

The manifest keeps the hash of all its weights, by which a library knows its model. A token table of
eight bits a number is stored with four from then on, and a text tower that another version has is
not stored twice, so that the package stays small.
"""

import argparse
import json
from pathlib import Path

import export
import numpy as np
import onnx
import torch
from graphs import Graph
from onnx import TensorProto, helper, numpy_helper

from framefind.models.hashes import weights_hash


def shrink(file: Path) -> None:
    """Store the int8 token tables of a text tower with four bits a number."""
    tower = onnx.load(file)
    weights = [*tower.graph.initializer]
    tables = [one for one in weights if one.data_type == TensorProto.INT8]
    scales = [one for one in weights if len(one.dims) == 2 and one.dims[1] == 1]  # of their rows
    for number, (table, scale) in enumerate(zip(tables, scales, strict=True)):
        whole, widths = (numpy_helper.to_array(one).astype(np.float32) for one in (table, scale))
        graph = Graph(f"table{number}_")
        vectors = export.vectors(graph, torch.from_numpy(whole * widths))
        _take(tower.graph, table, graph, vectors)
        scale.CopyFrom(numpy_helper.from_array(np.ones_like(widths, np.float16), scale.name))
    onnx.checker.check_model(tower, full_check=True)
    onnx.save(tower, file)


def _take(tower: onnx.GraphProto, table: onnx.TensorProto, graph: Graph, vectors: str) -> None:
    """Have the tower take `vectors` of `graph` where it took and cast rows of the table."""
    gathered = next(node.output[0] for node in tower.node if table.name in node.input)
    cast = next(node.output[0] for node in tower.node if gathered in node.input)
    rest = [node for node in tower.node if node.output[0] not in (gathered, cast)]
    del tower.node[:]
    tower.node.extend([*graph.nodes, helper.make_node("Identity", [vectors], [cast]), *rest])
    tower.initializer.remove(table)
    tower.initializer.extend(graph.weights)


def twin(file: Path) -> Path | None:
    """The same file in another version's folder."""
    others = file.parent.parent.glob(f"*/{file.name}")
    same = (one for one in others if one != file and one.read_bytes() == file.read_bytes())
    return next(same, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    file = folder / "manifest.json"
    facts = json.loads(file.read_text())
    image, text = facts["image"]["file"], facts["text"]["file"]
    if "weights" not in facts:  # not retired before
        names = (image, text, facts["text"]["tokenizer"])
        facts["weights"] = weights_hash([folder / name for name in names])
        if image == Path(image).name:  # otherwise it is that of a newer version
            (folder / image).unlink()
    if text == Path(text).name:
        if same := twin(folder / text):
            (folder / text).unlink()
            facts["text"]["file"] = f"../{same.parent.name}/{same.name}"
        else:
            shrink(folder / text)
    file.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
