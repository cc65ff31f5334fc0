"""A hub of tiny models: repositories in the layouts of the real one, and a server of its protocol.

The encoders are real ONNX graphs, shaped as exported CLIP and SigLIP encoders are, and small
enough to compute again with NumPy.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 16
DIMENSIONS = 12
LENGTH = 8
MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
WORDS = ("<pad>", "<bos>", "<eos>", "<unk>", "a", "red", "car", "dog", "on", "snow", "!", "Car")


def weights(seed: int, *shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _save(path: Path, nodes: list, inputs: list, output: str, tensors: dict) -> None:
    held = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", DIMENSIONS])
    graph = helper.make_graph(nodes, "encoder", inputs, [result], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def image_encoder(path: Path, given: str, output: str, batch: int | str = "n", scale=1.0) -> None:
    """Flattened pixels times a matrix."""
    shape = [batch, 3, SIZE, SIZE]
    inputs = [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)]
    nodes = [
        helper.make_node("Flatten", [given], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], [output]),
    ]
    _save(path, nodes, inputs, output, {"w": scale * weights(1, 3 * SIZE * SIZE, DIMENSIONS)})


def text_encoder(
    path: Path, given: str, output: str, kind: int = TensorProto.INT64, *, masked=False, batch="n"
) -> None:
    """The sum of embeddings, each times a weight of its place; of unmasked places if `masked`."""
    names = [given, "attention_mask"] if masked else [given]
    inputs = [helper.make_tensor_value_info(name, kind, [batch, LENGTH]) for name in names]
    nodes = [
        helper.make_node("Gather", ["e", given], ["tokens"]),
        helper.make_node("Mul", ["tokens", "places"], ["placed"]),
    ]
    if masked:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
            helper.make_node("Mul", ["placed", "column"], ["kept"]),
        ]
    nodes.append(
        helper.make_node(
            "ReduceSum", ["kept" if masked else "placed", "axis"], [output], keepdims=0
        )
    )
    tensors = {"e": weights(2, len(WORDS), DIMENSIONS), "places": weights(3, LENGTH, 1)}
    tensors |= {"last": np.array([2]), "axis": np.array([1])}
    _save(path, nodes, inputs, output, tensors)


def embedded(ids: list[list[int]], ignored: int | None = None) -> NDArray[np.float32]:
    """What a text encoder makes of token ids, as unit rows."""
    tokens = weights(2, len(WORDS), DIMENSIONS)[np.array(ids)] * weights(3, LENGTH, 1)
    if ignored is not None:
        tokens *= (np.array(ids) != ignored)[..., np.newaxis]
    return unit(tokens.sum(axis=1))


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _tokenizer(folder: Path, pad: str, settings: dict) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokens = {word: place for place, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(folder / "tokenizer_config.json", {"pad_token": pad, **settings})


def write(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def edit(file: Path, **changes: object) -> None:
    write(file, {**json.loads(file.read_text()), **changes})


def clip(folder: Path) -> Path:
    """A CLIP as transformers.js exports it, at three precisions, which differ a little."""
    for at, suffix in enumerate(("", "_fp16", "_quantized")):
        image_encoder(folder / f"onnx/vision_model{suffix}.onnx", "pixel_values", "image_embeds")
        text_encoder(
            folder / f"onnx/text_model{suffix}.onnx", "input_ids", "text_embeds", masked=True
        )
        (folder / f"onnx/text_model{suffix}.onnx").open("ab").write(b"\x32\x01" + bytes([48 + at]))
    config = {"model_type": "clip", "projection_dim": DIMENSIONS}
    write(folder / "config.json", config | {"text_config": {"max_position_embeddings": LENGTH}})
    write(
        folder / "preprocessor_config.json",
        {
            "crop_size": SIZE,
            "do_center_crop": True,
            "do_normalize": True,
            "image_mean": MEAN,
            "image_std": STD,
            "resample": 3,
            "size": {"shortest_edge": SIZE},
        },
    )
    _tokenizer(folder, "<eos>", {"model_max_length": LENGTH})
    return folder


def siglip(folder: Path) -> Path:
    """A SigLIP as transformers.js exports it: without mask or projection, squashed pictures."""
    image_encoder(folder / "onnx/vision_model.onnx", "pixel_values", "pooler_output")
    text_encoder(folder / "onnx/text_model.onnx", "input_ids", "pooler_output")
    text = {"max_position_embeddings": LENGTH}
    vision = {"hidden_size": DIMENSIONS}
    write(
        folder / "config.json",
        {"model_type": "siglip", "text_config": text, "vision_config": vision},
    )
    write(
        folder / "preprocessor_config.json",
        {
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
            "resample": 2,
            "size": {"height": SIZE, "width": SIZE},
        },
    )
    _tokenizer(folder, "<pad>", {"model_max_length": 1e30})
    return folder


def open_clip(folder: Path) -> Path:
    """A model as Immich exports open_clip's: one picture and one text at a time, int32 tokens."""
    image_encoder(folder / "visual/model.onnx", "image", "embedding", batch=1)
    text_encoder(folder / "textual/model.onnx", "text", "embedding", TensorProto.INT32, batch=1)
    text = {"context_length": LENGTH, "tokenizer_kwargs": {"clean": "canonicalize"}}
    write(
        folder / "config.json",
        {"embed_dim": DIMENSIONS, "vision_cfg": {"image_size": SIZE}, "text_cfg": text},
    )
    write(
        folder / "visual/preprocess_cfg.json",
        {
            "size": [SIZE, SIZE],
            "mean": MEAN,
            "std": STD,
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    )
    _tokenizer(folder / "textual", "<pad>", {})
    return folder


def safetensors(file: Path, **arrays: NDArray) -> Path:
    """Write a file of safetensors by hand: the header's size, the header, the numbers."""
    names = {"float64": "F64", "float32": "F32", "float16": "F16", "uint16": "BF16"}
    header = {}
    content = b""
    for name, array in arrays.items():
        start, content = len(content), content + array.tobytes()
        entry = {"dtype": names[str(array.dtype)], "shape": list(array.shape)}
        header[name] = entry | {"data_offsets": [start, len(content)]}
    said = json.dumps(header).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(len(said).to_bytes(8, "little") + said + content)
    return file


def checkpoint(folder: Path, scale: float = 20.0) -> Path:
    """A CLIP as transformers saves it, without what torch would need of it."""
    clip(folder)
    for encoder in folder.rglob("*.onnx"):
        encoder.unlink()
    learned = np.log(np.float32(scale))
    safetensors(folder / "model.safetensors", first=weights(7, 5, 3), logit_scale=learned)
    return folder


def open_clip_checkpoint(folder: Path, **settings: object) -> Path:
    """A model as open_clip saves it for the hub; `settings` of its text encoder."""
    text = {"context_length": LENGTH} | settings
    model = {"embed_dim": DIMENSIONS, "vision_cfg": {"image_size": SIZE}, "text_cfg": text}
    image = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"}
    write(folder / "open_clip_config.json", {"model_cfg": model, "preprocess_cfg": image})
    _tokenizer(folder, "<pad>", {})
    learned = np.log(np.float32(30))
    safetensors(folder / "open_clip_model.safetensors", logit_scale=learned)
    return folder


LARGE = (".onnx", ".safetensors", ".bin")
LAYOUTS = {"clip": clip, "siglip": siglip, "open_clip": open_clip}


class Hub:
    """A server on the loopback that speaks the hub's protocol for repositories in a folder.

    A repository is `<folder>/<owner>/<name>`; weights are kept as the hub keeps large files.
    `cuts` is how many of the next answers with weights break off halfway; `private` holds
    repositories that need the token "secret"; `log` what was asked. What has a
    word of `refusals` in its path is answered with that status, as a captive portal does with 200.
    """

    commit = "0123456789abcdef0123456789abcdef01234567"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cuts = 0
        self.damage = 0
        self.refusals: dict[str, int] = {}
        self.private: set[str] = set()
        self.log: list[tuple[str, str, str | None]] = []
        hub = self

        class Handler(_Handler):
            served = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.elsewhere = self.url.replace("127.0.0.1", "localhost")  # large files, as on the hub
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def asked(self, word: str) -> list[tuple[str, str, str | None]]:
        return [entry for entry in self.log if word in entry[1]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Hub

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, *args: object) -> None:
        pass

    def _serve(self) -> None:
        path = unquote(urlparse(self.path).path).strip("/")
        self.served.log.append((self.command, path, self.headers.get("Range")))
        parts = path.split("/")
        for word, status in self.served.refusals.items():
            if word in path:
                return self._answer(b"<html>Sign in</html>", {}, status)
        if parts[0] == "cdn":
            return self._weights("/".join(parts[1:]))
        api = parts[:2] == ["api", "models"]
        owner, name, *rest = parts[2:] if api else parts
        folder = self.served.folder / owner / name
        token = self.headers.get("Authorization")
        if not folder.is_dir():
            return self._refuse(404, "RepoNotFound")
        if f"{owner}/{name}" in self.served.private and token != "Bearer secret":
            return self._refuse(401, "GatedRepo" if name == "gated" else "")
        revision = rest[1] if len(rest) > 1 else "main"
        if revision not in ("main", "v1", self.served.commit):
            return self._refuse(404, "RevisionNotFound")
        if api:
            return self._answer(self._listing(folder, f"{owner}/{name}", "tree" in rest[:1]))
        return self._resolve(folder, f"{owner}/{name}", "/".join(rest[2:]))

    def _listing(self, folder: Path, repository: str, tree: bool) -> bytes:
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        names = {file: file.relative_to(folder).as_posix() for file in files}
        if tree:
            return json.dumps([_entry(file, names[file]) for file in files]).encode()
        siblings = [{"rfilename": names[file]} for file in files]
        facts = {"id": repository, "sha": self.served.commit, "siblings": siblings, "tags": []}
        return json.dumps(facts).encode()

    def _resolve(self, folder: Path, repository: str, name: str) -> None:
        file = folder / name
        if not file.is_file():
            return self._refuse(404, "EntryNotFound")
        content = file.read_bytes()
        headers = {"X-Repo-Commit": self.served.commit}
        if file.suffix not in LARGE:
            return self._answer(content, headers | {"ETag": f'"{_git(content)}"'})
        headers |= {
            "X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Linked-Size": str(len(content)),
            "Location": f"{self.served.elsewhere}/cdn/{repository}/{name}",
        }
        return self._answer(b"", headers, 302)

    def _weights(self, name: str) -> None:
        content = (self.served.folder / name).read_bytes()
        etag = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Accept-Ranges": "bytes"}
        if self.command == "GET" and self.served.damage:
            self.served.damage -= 1
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = self.headers.get("Range")
        if not asked:
            return self._answer(content, etag)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), int(last or len(content) - 1)
        etag["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        return self._answer(content[start : end + 1], etag, 206)

    def _answer(self, body: bytes, headers: dict[str, str] | None = None, status=200) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.served.cuts and self.path.startswith("/cdn/"):
            self.served.cuts -= 1
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(b'{"error": "no"}', {"X-Error-Code": code} if code else {}, status)


def _entry(file: Path, name: str) -> dict:
    content = file.read_bytes()
    entry = {"type": "file", "path": name, "size": len(content), "oid": _git(content)}
    if file.suffix in LARGE:
        large = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}
        entry["lfs"] = large | {"pointerSize": 134}
    return entry


def _git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
