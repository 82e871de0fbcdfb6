"""Layers by what they do, and which of a model are replayed."""

import pytest
from torch import nn

from pytest_energy.profiling.layer_types import LayerType, layer_type, layers_of


class TestLayerType:
    """Layers by what they do."""

    @pytest.mark.parametrize(
        ("module", "expected"),
        [
            (nn.Conv2d(1, 1, 1), LayerType.CONVOLUTION),
            (nn.ConvTranspose1d(1, 1, 1), LayerType.CONVOLUTION),
            (nn.Linear(1, 1), LayerType.LINEAR),
            (nn.BatchNorm2d(1), LayerType.NORMALISATION),
            (nn.LayerNorm(1), LayerType.NORMALISATION),
            (nn.ReLU(), LayerType.ACTIVATION),
            (nn.AdaptiveAvgPool2d(1), LayerType.POOLING),
            (nn.MultiheadAttention(2, 1), LayerType.ATTENTION),
            (nn.Embedding(2, 2), LayerType.EMBEDDING),
            (nn.Identity(), LayerType.OTHER),
            (nn.LSTM(1, 1), LayerType.OTHER),
            (type("LlamaRMSNorm", (nn.Module,), {})(), LayerType.NORMALISATION),
            (type("GELUActivation", (nn.Module,), {})(), LayerType.ACTIVATION),
            (type("WideLinear", (nn.Linear,), {})(1, 1), LayerType.LINEAR),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else value.value,
    )
    def test_of_a_layer(self, module: nn.Module, expected: LayerType) -> None:
        """torch's own by where it defines them, their heirs too, other libraries' by the end of the name."""
        assert layer_type(module) is expected

    def test_attention_is_one_layer(self) -> None:
        """The projection inside attention is part of it; containers are none; a shared layer is one."""
        shared = nn.Linear(2, 2)
        module = nn.Sequential(shared, nn.Sequential(nn.MultiheadAttention(2, 1)), shared)
        assert [(name, kind.value) for name, _, kind in layers_of(module)] == [
            ("0", "linear"),
            ("1.0", "attention"),
        ]

    def test_a_block_is_no_layer_whatever_its_name_ends_in(self) -> None:
        """torchvision's `Conv2dNormActivation` is three layers, not an activation."""
        block = type("ConvNormActivation", (nn.Sequential,), {})(
            nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()
        )
        kinds = [kind for _, _, kind in layers_of(block)]
        assert kinds == [LayerType.CONVOLUTION, LayerType.NORMALISATION, LayerType.ACTIVATION]
