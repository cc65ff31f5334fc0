"""CLIP ViT-B/32 with random weights: as transformers loads it, and as framefind does.

Speed does not depend on the weights, and no hub is needed.
"""

from pathlib import Path

VISION = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
VISION |= {"num_attention_heads": 12, "image_size": 224, "patch_size": 32}
TEXT = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1}
TEXT |= {"num_attention_heads": 2}  # no text is embedded here


def make_model(folder: Path) -> Path:
    """Make the model in transformers' layout, with its towers in ONNX, fp32 and int8."""
    if (folder / "made").exists():
        return folder
    import torch
    import transformers
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: place for place, word in enumerate(words)}
    end = vocabulary["<|endoftext|>"]
    text = TEXT | {"vocab_size": len(words), "bos_token_id": end - 1, "eos_token_id": end}
    config = transformers.CLIPConfig(
        text_config=text | {"pad_token_id": end}, vision_config=VISION, projection_dim=512
    )
    torch.manual_seed(0)
    model = transformers.CLIPModel(config).eval()
    tokenizer = transformers.CLIPTokenizer(vocabulary, [], model_max_length=77)
    processor = transformers.CLIPImageProcessorPil()
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)
    (folder / "onnx").mkdir(exist_ok=True)
    pixels = {"pixel_values": torch.zeros(2, 3, 224, 224)}
    tokens = {
        name: torch.ones(2, 77, dtype=torch.int64) for name in ("input_ids", "attention_mask")
    }
    _export(model, "image", pixels, "image_embeds", folder / "onnx/vision_model.onnx")
    _export(model, "text", tokens, "text_embeds", folder / "onnx/text_model.onnx")
    for tower in ("vision", "text"):
        quantize_dynamic(
            folder / f"onnx/{tower}_model.onnx",
            folder / f"onnx/{tower}_model_quantized.onnx",
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
        )
    (folder / "made").touch()
    return folder


def _export(model: object, side: str, examples: dict, output: str, file: Path) -> None:
    import torch

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            features = getattr(self.model, f"get_{side}_features")
            return features(**dict(zip(examples, inputs, strict=True))).pooler_output

    torch.onnx.export(
        Tower(),
        tuple(examples.values()),
        str(file),
        input_names=list(examples),
        output_names=[output],
        dynamic_axes={name: {0: "batch"} for name in (*examples, output)},
        dynamo=False,
    )
