"""Both sides of each energy bug do the same, on a CPU."""

import pytest
import torch
from torch import Tensor

from benchmarks.bugs.catalogue import PAIRS
from benchmarks.bugs.pair import MOST_NUMBER, Pair, Side, planted_numbers

CALLS = 2  # the second shows that a call leaves nothing behind that only one side leaves


def results(pair: Pair, side: Side) -> list[Tensor]:
    with pair.open(side, "cpu") as work:
        return [work().detach().clone().float() for _ in range(CALLS)]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.id)
def test_both_sides_compute_the_same(pair: Pair) -> None:
    """The bug costs joules and changes no number, up to the precision that it is about."""
    for mended, bug in zip(results(pair, Side.MENDED), results(pair, Side.BUG), strict=True):
        assert mended.shape == bug.shape
        assert float(mended.abs().max()) > 0
        assert float((mended - bug).abs().max()) <= pair.precision * float(mended.abs().max())


def test_the_exam_has_sixteen() -> None:
    """They are numbered as in its table."""
    assert [pair.number for pair in PAIRS] == list(range(1, MOST_NUMBER + 1))


@pytest.mark.parametrize("pair", [PAIRS[0], PAIRS[1]], ids=lambda pair: pair.id)
def test_switches_are_as_before_afterwards(pair: Pair) -> None:
    """A pair that sets a switch of torch sets it back."""
    before = torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32
    for side in Side:
        results(pair, side)
    assert (torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32) == before


@pytest.mark.parametrize(
    ("text", "numbers"), [("", frozenset()), ("7", frozenset({7})), ("3, 16,", frozenset({3, 16}))]
)
def test_a_variable_names_the_bugs(text: str, numbers: frozenset[int]) -> None:
    """Numbers stand between commas; none is none."""
    assert planted_numbers(text) == numbers


@pytest.mark.parametrize("text", ["0", "17", "gelu", "1;2", "-1"])
def test_what_is_no_number_of_the_exam_is_refused(text: str) -> None:
    """A misspelt bug would be run mended, and pass."""
    with pytest.raises(ValueError, match="is no number from 1 to 16"):
        planted_numbers(text)
