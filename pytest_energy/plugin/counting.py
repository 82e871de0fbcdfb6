"""Counts of the work of one test, by one more call after its rounds.

Rule 1: it comes after the rounds, outside every window, and with what a test's body has around them.
Rule 2: nothing that this call returns, raises or records changes the test. Where it fails there are no
counts, and the record says why.
Rule 3: a test is counted once; a run that confirms it is not.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, NotMeasurable, described
from pytest_energy.plugin.settings import Settings
from pytest_energy.work import Work
from pytest_energy.yardstick import is_yardstick

_A_BLOCK = Absent(
    "the test measures a block, which runs once; to count its work, measure a function: energy.measure(work)"
)

FAILURES = (Exception, SystemExit, pytest.fail.Exception, pytest.skip.Exception)
"""Exceptions of a test's function after which the run continues; Ctrl-C still stops it."""

_LONGEST_ERROR = 200  # characters: some lines of a reason


class CountsOf(Protocol):
    """Counts a call, as `EnergyRun.trace`."""

    def __call__(
        self, call: Callable[[], object], *, may_repeat: bool, call_s: float | None
    ) -> Counts | Absent: ...


def why_uncounted(test_id: str, settings: Settings, *, is_confirming: bool) -> str | None:
    """Why nothing is counted of the test with this id, or `None`."""
    if is_yardstick(test_id):
        return "a load of the yardstick is the same in every run"
    if is_confirming:
        return "its first run was counted"
    if settings.is_off:
        return "--energy-off"
    return None if settings.traces else "--energy-trace=off"


@dataclass(slots=True, kw_only=True)
class Counter:
    """Counts what the work of one test does.

    Attributes:
        why_not: Why nothing of this test is counted, or `None`.
        trace: Counts a call that may be repeated or not, and takes so many seconds, if they are known.
        owned: Holds the devices while a call is counted: it is work that another run would measure.
        result: The counts, or why there are none.
        is_counting: A call that only counts is under way.
        call_s: Seconds that a call of the work takes, where they are known.
    """

    why_not: str | None
    trace: CountsOf
    owned: Callable[[], AbstractContextManager[None]]
    result: Counts | Absent = _A_BLOCK
    is_counting: bool = False
    call_s: float | None = None

    def count(self, work: Work[object]) -> None:
        """Count one more call of *work*."""
        if self.why_not is not None:
            self.result = Absent(self.why_not)
            return
        self.is_counting = True
        try:
            self.result = work.counts(self._traced)
        except FAILURES as error:
            text = " ".join(described(error.__cause__ or error).split())
            self.result = Absent(f"the counted call failed: {text[:_LONGEST_ERROR]}")
        finally:
            self.is_counting = False

    def _traced(
        self, call: Callable[[], object], /, *, may_repeat: bool = True, is_whole: bool = True
    ) -> Counts | Absent:
        with self.owned():
            counted = self.trace(
                call if may_repeat else _once(call),
                may_repeat=may_repeat,
                call_s=self.call_s if is_whole else None,
            )
        return counted if isinstance(counted, Absent) else replace(counted, is_piece=not is_whole)

    @property
    def counts(self) -> Counts | None:
        return self.result if isinstance(self.result, Counts) else None

    @property
    def absent(self) -> dict[str, str]:
        """Why there are no counts, by the name under which a record keeps that."""
        because = self.why_not or (self.result.because if isinstance(self.result, Absent) else None)
        return {} if because is None else {"counts": because}


def _once(call: Callable[[], object]) -> Callable[[], object]:
    """*call*, refused the second time: what it works on was made for one call."""
    calls: list[object] = []

    def once() -> object:
        if calls:
            raise NotMeasurable("it has a setup or a teardown, so one more call can't be counted alone")
        calls.append(None)
        return call()

    return once
