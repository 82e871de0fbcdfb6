"""How the calls of two sides are to each other."""

from dataclasses import replace

import pytest

from pytest_energy.ab.calls import Calls, Counted
from pytest_energy.counts import Counts, Kind
from pytest_energy.judgement import Verdict
from pytest_energy.model import Record
from pytest_energy.verdict.findings import AgainstCounts, NoCounts, NoCountsBaseline, OtherWork
from pytest_energy.verdict.policy import Policy
from tests.builders import count_entry, counts_with, record

NORM = count_entry("aten::layer_norm", 12, size_bytes=1e6, inputs="a")
WAIT = count_entry("aten::item", 1, kind=Kind.WAIT)
KERNEL = count_entry("gemm", 24, kind=Kind.KERNEL)
BEFORE = counts_with(NORM, WAIT, KERNEL)


def with_counts(counts: Counts | None, because: str = "") -> Record:
    return replace(record(), counts=counts, absent={"counts": because} if because else {})


def counted(before: Counts | None, after: Counts | None, *, tolerance: float = 0.0) -> Counted:
    policy = Policy(counts_tolerance=tolerance)
    return Counted.of(with_counts(before), with_counts(after), "main (abc1234)", policy)


def test_equal_counts_are_the_same_calls() -> None:
    """Their order doesn't matter, nor what an operator runs inside."""
    assert counted(BEFORE, BEFORE).calls is Calls.SAME
    assert counted(BEFORE, counts_with(WAIT, NORM)).calls is Calls.SAME
    other_kernels = counts_with(NORM, WAIT, count_entry("other_gemm", 99, kind=Kind.KERNEL))
    assert counted(BEFORE, other_kernels).calls is Calls.SAME


@pytest.mark.parametrize(
    "after",
    [
        counts_with(count_entry("aten::layer_norm", 36, size_bytes=3e6, inputs="b"), WAIT),
        counts_with(NORM, count_entry("aten::item", 100, kind=Kind.WAIT)),
        counts_with(NORM, WAIT, count_entry("host to device, pageable", 1, kind=Kind.COPY, size_bytes=1e8)),
    ],
)
def test_a_rise_of_a_measure_is_more_calls(after: Counts) -> None:
    """More of an operator, of waits or of copied bytes."""
    result = counted(BEFORE, after)
    assert result.calls is Calls.MORE
    assert isinstance(result.finding, AgainstCounts)
    assert result.finding.verdict is Verdict.REGRESSION


def test_a_rise_that_is_allowed_is_neither() -> None:
    """One call more of 12 within 10 % is no rise, and the same calls they are not."""
    after = counts_with(count_entry("aten::layer_norm", 13, size_bytes=1e6 * 13 / 12, inputs="b"), WAIT)
    assert counted(BEFORE, after, tolerance=0.1).calls is Calls.UNKNOWN


@pytest.mark.parametrize(
    "after",
    [
        counts_with(replace(NORM, inputs="b"), WAIT, KERNEL),
        counts_with(NORM, KERNEL),
        counts_with(NORM, WAIT, KERNEL, settings={"cudnn.benchmark": "True"}),
        replace(counts_with(NORM, WAIT, KERNEL), digest="other", omitted_count=3),
        counts_with(NORM, replace(WAIT, most=2), KERNEL),
        counts_with(NORM, WAIT, KERNEL, source="calls of Python functions"),
    ],
)
def test_what_differs_otherwise_is_not_the_same(after: Counts) -> None:
    """Other inputs, fewer calls, another switch, entries left out, no repeating, another source."""
    assert counted(BEFORE, after).calls is Calls.UNKNOWN


def test_without_counts_nothing_is_known() -> None:
    """The side that has none is named with its reason."""
    policy = Policy()
    result = Counted.of(with_counts(None, "it raised"), with_counts(BEFORE), "main (abc1234)", policy)
    assert result.finding == NoCounts(because="on main (abc1234): it raised")
    assert (result.calls, result.comparison) == (Calls.UNKNOWN, None)
    result = Counted.of(with_counts(BEFORE), with_counts(None, "it raised"), "main (abc1234)", policy)
    assert result.finding == NoCounts(because="it raised")
    assert result.calls is Calls.UNKNOWN


def test_other_work_is_not_compared() -> None:
    """Twice the samples make twice the calls, and nobody is to blame."""
    before, after = (replace(with_counts(BEFORE), samples=count) for count in (10, 20))
    result = Counted.of(before, after, "main", Policy())
    assert result.finding == OtherWork(differences={"samples": ("10", "20")})
    assert result.calls is Calls.UNKNOWN


def test_another_device_is_not_compared() -> None:
    """A side that worked on the CPU says nothing of one that worked on a GPU."""
    result = counted(BEFORE, counts_with(NORM, source="torch.profiler (CPU, CUDA)"))
    assert isinstance(result.finding, NoCountsBaseline)
    assert result.calls is Calls.UNKNOWN


def test_a_later_block_gets_the_counts_of_the_first() -> None:
    """It counts nothing itself: its record says what the first block's said, the reason included."""
    later = with_counts(None, "--energy-trace=off")
    assert counted(BEFORE, BEFORE).put_into(later) == with_counts(BEFORE)
    silent = Counted.of(with_counts(BEFORE), with_counts(None, "it raised"), "main", Policy())
    assert silent.put_into(later).absent == {"counts": "it raised"}
    assert Counted().put_into(later) == later
