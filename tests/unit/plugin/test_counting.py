"""What the one call more changes of a test: nothing but its counts."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import pytest

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent
from pytest_energy.plugin.counting import Counter
from pytest_energy.work import CallWork
from tests.builders import COUNTS
from tests.fakes.tracer import FakeTrace


@dataclass(slots=True)
class Run:
    """What a run counts a call with."""

    trace: FakeTrace = field(default_factory=lambda: FakeTrace(counts=COUNTS))
    calls_s: list[float | None] = field(default_factory=list)

    def __call__(
        self, call: Callable[[], object], *, may_repeat: bool, call_s: float | None
    ) -> Counts | Absent:
        self.calls_s.append(call_s)
        return self.trace(call, may_repeat=may_repeat)


def counter(run: Run, why_not: str | None = None) -> Counter:
    return Counter(why_not=why_not, trace=run, owned=nullcontext)


def test_the_counts_of_one_more_call() -> None:
    """They are kept, and nothing is said to be absent."""
    one = counter(Run())
    one.count(CallWork(call=lambda: None))
    assert (one.counts, one.absent) == (replace(COUNTS, is_piece=False), {})


def test_counts_of_a_smaller_piece_say_so() -> None:
    """Joules of the work are not those of the piece: no calibration takes them together."""
    one = counter(Run())
    one.count(CallWork(call=lambda: None, traced=lambda: None))
    assert one.counts == replace(COUNTS, is_piece=True)


def test_without_a_call_the_reason_stands() -> None:
    """A test that measures a block has no function that could be called once more."""
    one = counter(Run())
    assert one.counts is None
    assert "energy.measure(work)" in one.absent["counts"]


def test_what_is_off_is_not_called() -> None:
    """The work is not called where nothing is to be counted."""
    run = Run()
    one = counter(run, why_not="--energy-trace=off")
    one.count(CallWork(call=lambda: None))
    assert run.trace.call_count == 0
    assert one.absent == {"counts": "--energy-trace=off"}


@pytest.mark.parametrize(
    "end", [lambda: 1 / 0, lambda: pytest.skip("no"), lambda: pytest.fail("no"), lambda: sys.exit(3)]
)
def test_a_call_that_fails_fails_nothing(end: Callable[[], object]) -> None:
    """Rule 2: however it ends, there are no counts, and the reason is kept."""
    one = counter(Run())
    one.count(CallWork(call=end))
    assert one.counts is None
    assert one.absent["counts"].startswith("the counted call failed: ")
    assert not one.is_counting


def test_an_interrupt_still_stops_the_run() -> None:
    """Ctrl-C in this call is meant for the run as in any other."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    one = counter(Run())
    with pytest.raises(KeyboardInterrupt):
        one.count(CallWork(call=interrupted))
    assert not one.is_counting


def test_it_is_known_that_the_call_only_counts() -> None:
    """While it lasts windows and metrics of the test are not the test's."""
    seen = []
    one = counter(Run())
    one.count(CallWork(call=lambda: seen.append(one.is_counting)))
    assert set(seen) == {True}
    assert not one.is_counting


def test_the_seconds_of_a_round_are_not_those_of_a_piece() -> None:
    """How long a call takes is known of the work itself only."""
    run = Run()
    one = counter(run)
    one.call_s = 3.0
    one.count(CallWork(call=lambda: None))
    one.count(CallWork(call=lambda: None, traced=lambda: None))
    assert run.calls_s == [3.0, None]
