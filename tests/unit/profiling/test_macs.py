"""MACs against counts made by hand, and what counting must leave alone."""

import copy
import sys
import threading
import types
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pytest_energy.errors import NotMeasurable
from pytest_energy.profiling.macs import count_macs, count_macs_thop

TOKENS, WIDTH, HIDDEN, HEADS = 10, 16, 32, 4
# Four projections of [T, E] by [E, E]; queries by keys and weights by values, each T x T x E over all heads.
ATTENTION_MACS = 4 * TOKENS * WIDTH**2 + 2 * TOKENS**2 * WIDTH
FEED_FORWARD_MACS = 2 * TOKENS * WIDTH * HIDDEN


class FusedAttention(nn.Module):
    """One head through `scaled_dot_product_attention`, without projections."""

    def forward(self, tokens: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


class ReadsValues(nn.Module):
    """Branches on what the numbers are, which shapes alone don't tell."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.gate(x)
        return score if score.sum().item() > 0 else -score


class TestHandCounts:
    """The count of one sample equals the count made by hand."""

    @pytest.mark.parametrize(
        ("module", "shape", "expected"),
        [
            # out x in x kernel x positions
            (nn.Conv2d(3, 8, 3, padding=1), (3, 32, 32), 8 * 3 * 9 * 32 * 32),
            (nn.Conv2d(3, 8, 3, stride=2), (3, 32, 32), 8 * 3 * 9 * 15 * 15),
            (nn.Conv2d(8, 16, 3, padding=1, groups=4), (8, 32, 32), 16 * (8 // 4) * 9 * 32 * 32),
            (nn.Conv2d(8, 8, 3, padding=1, groups=8), (8, 16, 16), 8 * 9 * 16 * 16),
            (nn.Conv1d(4, 6, 5), (4, 20), 6 * 4 * 5 * 16),
            (nn.ConvTranspose2d(8, 16, 2, stride=2), (8, 4, 4), 8 * 16 * 4 * 4 * 4),
            (nn.Linear(5, 7), (5,), 5 * 7),
            (nn.Linear(5, 7), (TOKENS, 5), TOKENS * 5 * 7),
            (FusedAttention(), (TOKENS, WIDTH), 2 * TOKENS**2 * WIDTH),
            (
                nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, batch_first=True),
                (TOKENS, WIDTH),
                ATTENTION_MACS + FEED_FORWARD_MACS,
            ),
            # four gates, each from input and state
            (nn.LSTM(4, 8, batch_first=True), (TOKENS, 4), TOKENS * 4 * 8 * (4 + 8)),
        ],
    )
    def test_layer(self, module: nn.Module, shape: tuple[int, ...], expected: int) -> None:
        """A layer counts its multiplications; biases and activations count nothing."""
        assert count_macs(module, torch.randn(1, *shape)) == expected

    def test_attention_over_three_inputs(self) -> None:
        """`nn.MultiheadAttention`, which takes query, key and value: projections and both products."""
        attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        tokens = torch.randn(1, TOKENS, WIDTH)
        assert count_macs(attention, (tokens, tokens, tokens)) == ATTENTION_MACS

    def test_network(self) -> None:
        """A network counts the sum of its layers; normalisation and pooling count nothing."""
        network = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(4),
            nn.Flatten(),
            nn.Linear(8 * 8 * 8, 10),
        )
        assert count_macs(network, torch.randn(1, 3, 32, 32)) == 8 * 3 * 9 * 32 * 32 + 8 * 8 * 8 * 10


class TestOneSample:
    """What is counted is one sample, however it is handed in."""

    def test_batch_size_does_not_matter(self) -> None:
        """Thirty-two samples count as one."""
        assert count_macs(nn.Linear(5, 7), torch.randn(32, 5)) == 35

    def test_keyword_arguments(self) -> None:
        """A mapping, as tokenizers return it, is passed by keyword; each tensor is cut to one sample."""

        class Masked(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.Linear(5, 7)

            def forward(self, x: Tensor, *, mask: Tensor, scale: float) -> Tensor:
                masked: Tensor = self.layer(x) * mask * scale
                return masked

        example = {"x": torch.randn(4, 5), "mask": torch.ones(4, 7), "scale": 2.0}
        assert count_macs(Masked(), example) == 35


class TestUntouched:
    """Counting runs a copy: the user's module is the same afterwards."""

    def test_weights_buffers_and_mode_stay(self) -> None:
        """Batch statistics, weights, gradients and training mode are as before."""
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
        before = copy.deepcopy(module.state_dict())
        count_macs(module, torch.randn(2, 3, 8, 8))
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
        assert all(parameter.device.type == "cpu" for parameter in module.parameters())
        assert all(parameter.grad is None for parameter in module.parameters())
        assert all(layer.training for layer in module.modules())

    def test_hooks_are_not_run(self) -> None:
        """A user's hook doesn't see the counting, and is still there afterwards."""
        seen: list[object] = []
        module = nn.Linear(5, 7)
        module.register_forward_hook(lambda *_: seen.append("after"))
        module.register_forward_pre_hook(lambda *_: seen.append("before"))
        count_macs(module, torch.randn(1, 5))
        assert seen == []
        module(torch.randn(1, 5))
        assert seen == ["before", "after"]

    def test_random_numbers_stay(self) -> None:
        """The next random number is the one that it would have been."""
        module = nn.Sequential(nn.Linear(5, 7), nn.Dropout())
        example = torch.randn(1, 5)
        state = torch.get_rng_state()
        count_macs(module, example)
        assert torch.equal(torch.get_rng_state(), state)

    def test_parametrized_weights_are_counted(self) -> None:
        """A weight that is computed from others counts as the layer it is in."""
        module = nn.utils.parametrizations.weight_norm(nn.Linear(5, 7))
        assert count_macs(module, torch.randn(1, 5)) == 35

    @pytest.mark.parametrize("version", ["0.1.1", None])
    def test_the_original_thop_is_refused(self, version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        """It counts nothing of attention, under the same import name."""
        original = types.ModuleType("thop")
        if version is not None:
            original.__version__ = version  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "thop", original)
        with pytest.raises(NotMeasurable, match=r"leaves out attention.*ultralytics-thop"):
            count_macs_thop(torch.nn.Linear(5, 3), torch.zeros(1, 5))

    def test_thop_leaves_nothing_behind(self) -> None:
        """thop's hooks and counters stay on the copy."""
        module = nn.Linear(5, 7)
        before = set(vars(module))
        count_macs_thop(module, torch.randn(1, 5))
        assert set(vars(module)) == before
        assert not module._forward_hooks


class TestUncountable:
    """What can't be counted says what, where and why; it is never 0."""

    def test_forward_that_reads_values(self) -> None:
        """A forward pass that needs values fails on shapes: the message names the module and the place."""
        with pytest.raises(NotMeasurable, match=r"MACs of ReadsValues .* failed in ReadsValues\.forward"):
            count_macs(ReadsValues(), torch.randn(1, 4))

    def test_the_innermost_layer_is_named(self) -> None:
        """A shape that doesn't fit is reported at its layer."""
        module = nn.Sequential(nn.Linear(5, 7), nn.Sequential(nn.ReLU(), nn.Linear(8, 2)))
        with pytest.raises(NotMeasurable, match=r"failed in layer '1\.1' \(Linear\): RuntimeError"):
            count_macs(module, torch.randn(1, 5))

    def test_module_that_cannot_be_copied(self) -> None:
        """A module that holds a lock can't be copied, which is said instead of a failed forward pass."""
        module = nn.Linear(5, 7)
        vars(module)["lock"] = threading.Lock()
        with pytest.raises(NotMeasurable, match=r"MACs of Linear .* can't be copied .* TypeError"):
            count_macs(module, torch.randn(1, 5))

    def test_nothing_known_is_not_zero(self) -> None:
        """A model in which no known operator was seen is an error, not 0 MACs."""
        with pytest.raises(NotMeasurable, match="no convolution, matrix product or attention"):
            count_macs(nn.Sequential(nn.ReLU(), nn.BatchNorm1d(5)), torch.randn(1, 5))

    @pytest.mark.parametrize("example", ["text", (1, 2), {}, torch.tensor(1.0)])
    def test_input_without_a_batch(self, example: object) -> None:
        """An example input without a tensor `[N, ...]` is named for what it is."""
        with pytest.raises(NotMeasurable, match=f"is a {type(example).__name__} that holds no tensor"):
            count_macs(nn.Linear(5, 7), example)

    def test_thop_takes_no_keywords(self) -> None:
        """thop can't be given a mapping."""
        with pytest.raises(NotMeasurable, match="positional arguments only"):
            count_macs_thop(nn.Linear(5, 7), {"input": torch.randn(1, 5)})


@pytest.mark.parametrize("count", [count_macs, count_macs_thop])
def test_counters_agree_where_there_is_nothing_but_products(
    count: Callable[[nn.Module, object], int],
) -> None:
    """Both counters give the hand count for layers without normalisation."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.Flatten(), nn.Linear(8 * 6 * 6, 10, bias=False)
    )
    assert count(network, torch.randn(1, 3, 8, 8)) == 8 * 3 * 9 * 6 * 6 + 8 * 6 * 6 * 10
