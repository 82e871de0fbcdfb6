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
    """

    counts: Counts | Absent
    call_count: int = 0
    results: tuple[object, ...] = ()

    def __call__(self, call: Callable[[], object], /, *, may_repeat: bool = True) -> Counts | Absent:
        for _ in range(2 if may_repeat else 1):
            self.call_count += 1
            self.results += (call(),)
        return self.counts
