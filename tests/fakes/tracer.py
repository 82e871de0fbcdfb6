"""A tracer that calls what it is given, counts its calls, and gives counts that a test has chosen."""

from collections.abc import Callable
from dataclasses import dataclass

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent


@dataclass(slots=True, kw_only=True)
class FakeTrace:
    """A `pytest_energy.work.Trace`.

    Attributes:
        counts: What it gives, whatever was called.
        call_count: Calls so far.
        results: What the calls returned.
        are_whole: What was said of each function that it was given.
    """

    counts: Counts | Absent
    call_count: int = 0
    results: tuple[object, ...] = ()
    are_whole: tuple[bool, ...] = ()

    def __call__(
        self, call: Callable[[], object], /, *, may_repeat: bool = True, is_whole: bool = True
    ) -> Counts | Absent:
        self.are_whole += (is_whole,)
        for _ in range(2 if may_repeat else 1):
            self.call_count += 1
            self.results += (call(),)
        return self.counts
