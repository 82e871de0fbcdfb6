"""Facts of a model."""

import pytest
import torch
from torch import Tensor, nn

from pytest_energy.errors import NotMeasurable
from pytest_energy.profiling.pytorch import model_facts


class TestModelFacts:
    """Trainable parameters, size and MACs."""

    def test_counts_of_a_small_network(self) -> None:
        """Weights and biases are parameters; batch statistics are size, but no parameters."""
        module = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
        facts = model_facts(module, torch.randn(2, 3, 5, 5), accuracy=0.9)
        assert facts.parameters == 4 * 3 * 9 + 2 * 4
        # mean and variance as float32, and a counter of batches as int64
        assert facts.size_bytes == (4 * 3 * 9 + 2 * 4 + 2 * 4) * 4 + 8
        assert facts.macs == 4 * 3 * 9 * 3 * 3
        assert facts.accuracy == 0.9

    def test_half_precision_is_half_the_size(self) -> None:
        """The size follows the type of the numbers; parameters and MACs don't."""
        whole = model_facts(nn.Linear(5, 7), torch.randn(1, 5))
        half = model_facts(nn.Linear(5, 7).half(), torch.randn(1, 5).half())
        assert half.size_bytes == whole.size_bytes / 2
        assert (half.parameters, half.macs) == (whole.parameters, whole.macs)

    def test_shared_weights_count_once(self) -> None:
        """Tied layers are one set of parameters, used twice."""
        first, second = nn.Linear(5, 5, bias=False), nn.Linear(5, 5, bias=False)
        second.weight = first.weight
        facts = model_facts(nn.Sequential(first, second), torch.randn(1, 5))
        assert (facts.parameters, facts.size_bytes, facts.macs) == (25, 100, 50)

    def test_frozen_model_has_no_trainable_parameters(self) -> None:
        """A frozen model still has its size and its MACs."""
        facts = model_facts(nn.Linear(5, 7).requires_grad_(requires_grad=False), torch.randn(1, 5))
        assert (facts.parameters, facts.size_bytes, facts.macs) == (0, (5 * 7 + 7) * 4, 35)

    def test_uncountable_macs_are_absent_with_their_reason(self) -> None:
        """A forward pass that can't run on shapes leaves the MACs unknown, and nothing else."""

        class ReadsValues(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.Linear(5, 7)

            def forward(self, x: Tensor) -> Tensor:
                return x * x.sum().item()

        facts = model_facts(ReadsValues(), torch.randn(1, 5))
        assert facts.macs is None
        assert facts.macs_absent_because is not None
        assert "ReadsValues" in facts.macs_absent_because
        assert facts.parameters == 42

    def test_no_module_is_refused(self) -> None:
        """What isn't a module is named for what it is."""
        with pytest.raises(NotMeasurable, match=r"takes a torch\.nn\.Module\. Got a str"):
            model_facts("resnet18", torch.randn(1, 5))

    @pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")  # older torch
    def test_lazy_layer_is_refused(self) -> None:
        """A layer without a shape has no size yet: the message says what to do."""
        with pytest.raises(NotMeasurable, match=r"'weight' of LazyLinear is lazy .* run the model once"):
            model_facts(nn.LazyLinear(7), torch.randn(1, 5))


class TestWaysToCountMacs:
    def test_ways_that_differ_much_are_both_shown(self) -> None:
        """thop counts normalisation too: where that is most of the work, both counts are there."""
        module = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), *(torch.nn.BatchNorm2d(3) for _ in range(4)))
        facts = model_facts(module, torch.zeros(1, 3, 8, 8), by_thop=True)
        assert set(facts.counted_macs) == {"macs_flop_counter", "macs_thop"}
        assert facts.counted_macs["macs_flop_counter"] == 3 * 3 * 64
        assert facts.macs == facts.counted_macs["macs_thop"] > 1.25 * 3 * 3 * 64

    def test_ways_that_agree_are_not(self) -> None:
        """A linear layer has the same MACs either way."""
        facts = model_facts(torch.nn.Linear(8, 4), torch.zeros(1, 8), by_thop=True)
        assert (facts.macs, facts.counted_macs) == (32, {})

    def test_one_way_is_asked_by_default(self) -> None:
        """Nobody who didn't ask needs thop."""
        assert model_facts(torch.nn.Linear(8, 4), torch.zeros(1, 8)).counted_macs == {}
