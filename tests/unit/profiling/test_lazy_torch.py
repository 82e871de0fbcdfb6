"""torch is imported when something of it is used, and not before."""

import subprocess
import sys

import torch

from pytest_energy.profiling.lazy_torch import torch as lazy_torch

USES = """
import sys
from pytest_energy.profiling import capture, layer_types, layers, load, macs, pytorch
before = "torch" in sys.modules
layers.torch.Tensor
sys.exit(before or "torch" not in sys.modules)
"""


def test_what_is_asked_of_it_is_torch_s_own() -> None:
    """The same classes, so that `isinstance` holds for a user's tensors."""
    assert lazy_torch.Tensor is torch.Tensor


def test_it_is_imported_at_the_first_use() -> None:
    """Every module that looks at models can be imported without it."""
    assert subprocess.run([sys.executable, "-c", USES], check=False).returncode == 0  # noqa: S603  # ours
