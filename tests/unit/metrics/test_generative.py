"""The paper's seven metrics of generative models, section 6.2.2, with worked numbers."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics import generative as formulas


class TestEnergyPerSample:
    """The mean total energy of one inference request; its correlation with itself is 1 by definition."""

    def test_is_joules_over_requests(self) -> None:
        """1200 J for 48 requests are 25 J a request."""
        assert formulas.energy_per_sample(1200.0, 48) == 25.0


class TestFlops:
    """Floating-point operations that the forward pass needs: the cost of computing an answer."""

    def test_two_for_each_mac(self) -> None:
        """A multiply-accumulate is one multiplication and one addition."""
        assert formulas.flops(7_000_000_000) == 14e9


class TestModelSizeToRam:
    """The model's size on the GPU against all of the GPU's memory."""

    def test_is_bytes_over_bytes(self) -> None:
        """8 GB of 80 GB."""
        assert formulas.model_size_to_ram(8e9, 80e9) == 0.1


class TestParameters:
    """All parameters of the LLM, frozen or not: its scale."""

    def test_is_the_count(self) -> None:
        """Llama 3.1 8B has 8,030,261,248."""
        assert formulas.parameters(8_030_261_248) == 8_030_261_248.0


class TestRequestRate:
    """Inference requests a second."""

    def test_is_requests_over_seconds(self) -> None:
        """32 requests in 4 s are 8 a second."""
        assert formulas.request_rate(32, 4.0) == 8.0

    def test_no_request_is_a_rate_of_zero(self) -> None:
        """Nothing arrived in a stretch of time: that rate is known, and 0."""
        assert formulas.request_rate(0, 4.0) == 0.0


class TestCacheHitRate:
    """The share of prompts that a cached prefix answers."""

    def test_is_cached_over_looked_up(self) -> None:
        """96 of 128 prompt tokens."""
        assert formulas.cache_hit_rate(96, 128) == 0.75

    def test_more_hits_than_tokens_is_refused(self) -> None:
        """Two counters of different loads are an error, not a share above 1."""
        with pytest.raises(NotMeasurable, match="129 cached tokens of 128"):
            formulas.cache_hit_rate(129, 128)

    @given(data=st.data(), prompt_token_count=st.integers(1, 10**9))
    def test_is_a_share(self, data: st.DataObject, prompt_token_count: int) -> None:
        """Whatever the counts, the rate is from 0 to 1."""
        cached = data.draw(st.integers(0, prompt_token_count))
        assert 0.0 <= formulas.cache_hit_rate(cached, prompt_token_count) <= 1.0


class TestAverageOutputTokenLength:
    """The mean number of tokens in an answer."""

    def test_is_tokens_over_requests(self) -> None:
        """4096 tokens in 32 answers are 128 each."""
        assert formulas.average_output_token_length(4096, 32) == 128.0


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        (lambda: formulas.energy_per_sample(1.0, 0), "answered requests is 0"),
        (lambda: formulas.model_size_to_ram(1.0, 0.0), "memory of the GPUs in bytes is 0"),
        (lambda: formulas.parameters(0), "number of parameters is 0"),
        (lambda: formulas.request_rate(1, 0.0), "duration of the load in s is 0"),
        (lambda: formulas.cache_hit_rate(0, 0), "prompt tokens is 0"),
        (lambda: formulas.average_output_token_length(1, 0), "answered requests is 0"),
    ],
)
def test_nothing_is_divided_by_zero(formula: Callable[[], float], named: str) -> None:
    """A ratio to nothing is an error that names what is 0."""
    with pytest.raises(NotMeasurable, match=named):
        formula()


@pytest.mark.parametrize(
    "formula",
    [
        lambda: formulas.energy_per_sample(float("nan"), 1),
        lambda: formulas.flops(-1),
        lambda: formulas.energy_per_sample(float("inf"), 1),
    ],
)
def test_no_nan_passes_through(formula: Callable[[], float]) -> None:
    """A number that is negative, infinite or NaN is an error, not a metric."""
    with pytest.raises(NotMeasurable, match="finite number"):
        formula()
