"""Folders with random weights that vLLM loads, in bfloat16 or quantised from the same ones.

    python -m benchmarks.llm.weights FOLDER SIZE POSITIONS FORM DEVICE SPREAD

vLLM's own random weights (`load_format="dummy"`) are so small that an answer hardly depends on its prompt,
and it quantises none of them to integers. Those here are drawn as Llama's are before its training: standard
deviation 0.02, norms of 1. Answers of such a model are near ties, so that settings agree less than with a
trained one. A smaller deviation makes answers that repeat themselves, where the output layer shares the
embedding's weights.

Source:
    The integer forms are those of compressed-tensors: `int-quantized` (8 bits, a scale a row, inputs a scale
    a token) and `pack-quantized` (4 bits, a scale for 128 inputs, eight to an int32, the first lowest).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors.torch import save_file
from transformers import LlamaForCausalLM

from benchmarks.llm.models import WEIGHT_SEED, llama_config, write_config

Form = Literal["bf16", "int8", "int4"]

SPREAD = 0.02  # `initializer_range` of LlamaConfig
_GROUP = 128
_INPUTS = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
_SCHEMES: dict[str, tuple[str, dict[str, object], dict[str, object] | None]] = {
    "int8": ("int-quantized", {"num_bits": 8, "strategy": "channel"}, _INPUTS),
    "int4": ("pack-quantized", {"num_bits": 4, "strategy": "group", "group_size": _GROUP}, None),
}


def write_weights(
    folder: Path, size: str, *, position_count: int, form: Form, device: str, spread: float = SPREAD
) -> Path:
    """A folder with the configuration and the weights of a Llama of the shape *size* in *form*.

    Args:
        folder: Made if it isn't there.
        size: One of `benchmarks.llm.models.SIZES`.
        position_count: Longest prompt and answer together, in tokens.
        form: The same weights in each.
        device: A torch device to draw them on.
        spread: Standard deviation of the weights.
    """
    write_config(folder, size, position_count=position_count)
    tensors: dict[str, torch.Tensor] = {}
    for name, weight in _drawn(size, position_count, device, spread):
        is_linear = weight.dim() == 2 and ".layers." in name
        parts = {"": weight} if form == "bf16" or not is_linear else _quantised(weight, form)
        tensors |= {f"{name}{tail}": part.cpu() for tail, part in parts.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    if form != "bf16":
        _note_form(folder / "config.json", form)
    return folder


def _drawn(size: str, position_count: int, device: str, spread: float) -> Iterator[tuple[str, torch.Tensor]]:
    with torch.device("meta"):
        shapes: torch.nn.Module = LlamaForCausalLM(llama_config(size, position_count=position_count))
    draws = torch.Generator(device).manual_seed(WEIGHT_SEED)
    seen = set()
    for name, parameter in shapes.named_parameters():
        if id(parameter) in seen:
            continue
        seen.add(id(parameter))
        weight = torch.ones(parameter.shape, device=device)
        if parameter.dim() > 1:
            weight = spread * torch.randn(parameter.shape, generator=draws, device=device)
        yield name, weight.to(torch.bfloat16)


def _quantised(weight: torch.Tensor, form: Form) -> dict[str, torch.Tensor]:
    """The tensors of *weight* in *form*, by what is added to its name."""
    rows, columns = weight.shape
    exact = weight.float()
    if form == "int8":
        scale = exact.abs().amax(dim=1, keepdim=True) / 127
        return {"": (exact / scale).round().clamp(-127, 127).to(torch.int8), "_scale": scale.bfloat16()}
    groups = exact.view(rows, columns // _GROUP, _GROUP)
    scale = groups.abs().amax(dim=2, keepdim=True) / 7
    steps = ((groups / scale).round().clamp(-8, 7) + 8).to(torch.int32).view(rows, columns // 8, 8)
    packed = sum(steps[:, :, place] << 4 * place for place in range(8))
    assert isinstance(packed, torch.Tensor)
    return {
        "_packed": packed.contiguous(),
        "_scale": scale.view(rows, -1).bfloat16(),
        "_shape": torch.tensor([rows, columns]),
    }


def _note_form(path: Path, form: Form) -> None:
    """Say in the configuration at *path* how the weights are quantised."""
    scheme, weights, inputs = _SCHEMES[form]
    config = json.loads(path.read_text())
    config["quantization_config"] = {
        "quant_method": "compressed-tensors",
        "format": scheme,
        "quantization_status": "compressed",
        "ignore": ["lm_head"],
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {"type": "int", "symmetric": True, "dynamic": False, **weights},
                "input_activations": inputs,
                "output_activations": None,
            }
        },
    }
    path.write_text(json.dumps(config, indent=2))


def main(*words: str) -> None:
    """Write one folder, of the words in the usage above."""
    folder, size, positions, form, device, spread = words
    (known,) = (one for one in get_args(Form) if one == form)
    write_weights(
        Path(folder), size, position_count=int(positions), form=known, device=device, spread=float(spread)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
