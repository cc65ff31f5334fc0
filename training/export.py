"""Write the shipped files: image.onnx in integers, text.onnx with weights of 8 bits, the rest."""

import json
import unicodedata
from pathlib import Path

import numpy as np
import onnx
import torch
import towers
from backbone import CHANNELS, FEATURES, SIDE, quantize, unpack, write_onnx
from balance import balance
from onnx import TensorProto, compose, helper, numpy_helper
from pictures import SIZE
from torch import Tensor, nn

from framefind.models.layouts.base import Encoders, ImageEncoder, TextEncoder
from framefind.models.layouts.manifest import write_manifest

MIN_WEIGHTS = 4000  # of a table that is stored as int8
PICTURES, TEXTS = 4000, 60_000  # at most, that vectors are balanced over


class Texts(nn.Module):
    """Token ids and mask (n, t) to unit vectors (n, towers.DIMENSIONS)."""

    def __init__(self, encoder: towers.SentenceEncoder, words: nn.Module) -> None:
        super().__init__()
        self.encoder, self.words = encoder, words

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.words(self.encoder(input_ids, attention_mask))


def round_weights(file: Path) -> onnx.ModelProto:
    """Return a network whose tables and weights are int8; its products stay those of float32."""
    network = onnx.load(file)
    graph = network.graph
    users = {name: node for node in graph.node for name in node.input}
    for table in list(graph.initializer):
        values = numpy_helper.to_array(table)
        name = table.name
        if values.dtype != np.float32 or values.ndim != 2 or values.size < MIN_WEIGHTS:
            continue
        user = users[name]
        is_table = user.op_type == "Gather"
        is_turned = any(fact.name == "transB" and fact.i for fact in user.attribute)
        axis = 0 if is_table or is_turned else 1
        scales = np.maximum(np.abs(values).max(1 - axis), 1e-8) / 127
        rounded = np.rint(values / np.expand_dims(scales, 1 - axis)).astype(np.int8)
        graph.initializer.remove(table)
        parts = {"int8": rounded, "scale": scales[:, None] if is_table else scales}
        if is_table:
            ids = user.input[1]
            out = user.output[0]
            at = list(graph.node).index(user)
            graph.node.remove(user)
            nodes = [
                helper.make_node("Gather", [f"{name}_int8", ids], [f"{out}_int8"]),
                helper.make_node("Cast", [f"{out}_int8"], [f"{out}_cast"], to=TensorProto.FLOAT),
                helper.make_node("Gather", [f"{name}_scale", ids], [f"{out}_scale"]),
                helper.make_node("Mul", [f"{out}_cast", f"{out}_scale"], [out]),
            ]
        else:
            at = 0
            parts["zero"] = np.zeros(len(scales), np.int8)
            inputs = [f"{name}_{part}" for part in parts]
            nodes = [helper.make_node("DequantizeLinear", inputs, [name], axis=axis)]
        for part, array in parts.items():
            graph.initializer.append(numpy_helper.from_array(array, f"{name}_{part}"))
        for node in reversed(nodes):
            graph.node.insert(at, node)
    return network


def join(networks: list[onnx.ModelProto]) -> onnx.ModelProto:
    """Return networks of one input and one output as one, each after the other."""
    joined = networks[0]
    for number, network in enumerate(networks[1:]):
        network.ir_version = joined.ir_version
        del network.opset_import[:]
        network.opset_import.extend(joined.opset_import)
        between = [(joined.graph.output[0].name, network.graph.input[0].name)]
        joined = compose.merge_models(joined, network, between, prefix2=f"part{number}_")
    last = joined.graph.output[0].name
    joined.graph.node.append(helper.make_node("Identity", [last], ["embeddings"]))
    joined.graph.output[0].name = "embeddings"
    onnx.checker.check_model(joined)
    return joined


def forget_scripts(tokenizer: str) -> str:
    """Rename tokens that are not Latin, and were never learned: so they are told as unknown."""
    facts = json.loads(tokenizer)
    facts["model"]["vocab"] = {
        token if is_latin(token) else f"[script{number}]": number
        for token, number in facts["model"]["vocab"].items()
    }
    return json.dumps(facts, ensure_ascii=False)


def is_latin(token: str) -> bool:
    return all("LATIN" in unicodedata.name(letter, "") for letter in token if letter.isalpha())


def load_views(work: Path, names: tuple[str, ...]) -> Tensor:
    """Return some stored views of all sources: int8 (n, positions, CHANNELS)."""
    files = [np.load(work / f"{name}.views.npy", mmap_mode="r") for name in names]
    share = min(1, PICTURES / sum(map(len, files)))
    rng = np.random.default_rng(0)
    rows = [np.sort(rng.permutation(len(file))[: int(share * len(file))]) for file in files]
    sample = np.concatenate([file[part] for file, part in zip(files, rows, strict=True)])
    return torch.from_numpy(rng.permutation(sample))


def export(model: towers.Model, work: Path, names: tuple[str, ...], out: Path) -> None:
    """Write a model in framefind's own layout into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    views = load_views(work, names)
    texts = json.loads((work / "sentences.json").read_text())
    texts = [texts[i] for i in np.random.default_rng(0).permutation(len(texts))[:TEXTS]]
    with torch.no_grad():
        sentences = towers.encode_sentences(model.sentences, towers.tokenize(texts))
        features = torch.cat([model.learned(unpack(part)) for part in views.split(250)])
        eyes, words, scale = balance(model, features, sentences)
    plain, learned = work / "plain.onnx", work / "learned.onnx"
    blocks = unpack(views[:192]).transpose(0, 1).reshape(-1, CHANNELS, SIDE, SIDE)
    write_onnx(model.learned, (blocks[:1],), plain, {"x": (0,), "y": (0,)})
    quantize(plain, learned, blocks.numpy())
    write_onnx(eyes, (torch.zeros(1, FEATURES),), plain, {"x": (0,), "y": (0,)})
    parts = [onnx.load(work / "frozen.onnx"), onnx.load(learned), round_weights(plain)]
    onnx.save(join(parts), out / "image.onnx")
    example = (torch.tensor([[101, 1037, 3899, 102]]), torch.ones(1, 4, dtype=torch.long))
    free = {"input_ids": (0, 1), "attention_mask": (0, 1), "embeddings": (0,)}
    write_onnx(Texts(model.sentences, words), example, plain, free)
    onnx.save(round_weights(plain), out / "text.onnx")
    (out / "tokenizer.json").write_text(forget_scripts(towers.load_tokenizer().to_str()))
    image = ImageEncoder(out / "image.onnx", SIZE, "bilinear, antialias")
    text = TextEncoder(out / "text.onnx", out / "tokenizer.json", towers.MAX_TOKENS, True)
    write_manifest(out, out.name, Encoders(image, text, towers.DIMENSIONS, scale))
