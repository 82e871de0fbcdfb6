"""Random weights as files: the same draw in bfloat16 and as integers."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.llm.weights import Form, write_weights

LINEAR = "model.layers.0.mlp.down_proj.weight"


def written(folder: Path, form: Form) -> dict[str, torch.Tensor]:
    write_weights(folder / form, "12M", position_count=64, form=form, device="cpu")
    return load_file(folder / form / "model.safetensors")


def test_bf16_is_drawn_as_before_a_training(tmp_path: Path) -> None:
    """Norms are 1, the others spread by 0.02; nothing says that they are quantised."""
    tensors = written(tmp_path, "bf16")
    assert tensors["model.norm.weight"].tolist() == [1.0] * 384
    assert tensors[LINEAR].float().std().item() == pytest.approx(0.02, rel=0.02)
    assert "quantization_config" not in json.loads((tmp_path / "bf16" / "config.json").read_text())


@pytest.mark.parametrize(("form", "share"), [("int8", 0.01), ("int4", 0.13)])
def test_integers_are_those_weights_rounded(tmp_path: Path, form: Form, share: float) -> None:
    """What vLLM makes of them again differs by the rounding of 8 or 4 bits; the head is left as it is."""
    exact, tensors = written(tmp_path, "bf16"), written(tmp_path, form)
    scale = tensors[f"{LINEAR}_scale"].float()
    if form == "int8":
        again = tensors[LINEAR].float() * scale
    else:
        rows, columns = tensors[f"{LINEAR}_shape"].tolist()
        packed = tensors[f"{LINEAR}_packed"]
        steps = torch.stack([(packed >> 4 * place) & 15 for place in range(8)], dim=2).view(rows, columns) - 8
        again = steps.float() * scale.repeat_interleave(128, dim=1)
    difference = (again - exact[LINEAR].float()).norm() / exact[LINEAR].float().norm()
    assert 0 < difference.item() < share
    assert torch.equal(tensors["lm_head.weight"], exact["lm_head.weight"])
    noted = json.loads((tmp_path / form / "config.json").read_text())["quantization_config"]
    assert (noted["quant_method"], noted["ignore"]) == ("compressed-tensors", ["lm_head"])
