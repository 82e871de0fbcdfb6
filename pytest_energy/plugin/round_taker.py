"""How one test's rounds and windows are taken: where it is measured, by all ranks, and how many.

Rule 1: one window is open at a time. What is opened inside it is a phase of it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeVar

from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.model import Reading
from pytest_energy.plugin.alone import Alone
from pytest_energy.plugin.chosen_place import ChosenPlace
from pytest_energy.plugin.mark import EnergyMark
from pytest_energy.plugin.progress import live_line
from pytest_energy.plugin.rounds import MeasuredRounds, RoundLoop, RoundPlan, RoundScheduler
from pytest_energy.plugin.run import EnergyRun
from pytest_energy.stats.rounds import precision_for
from pytest_energy.work import Work
from pytest_energy.yardstick import is_yardstick

R = TypeVar("R")


class RoundTaker:
    """Takes the rounds of one test, and of parts of its work, each under a test id of its own.

    Args:
        place: Of the test.
        confirming_count: Rounds that confirm those of an earlier run, all that is wanted now; or `None`.

    Attributes:
        open: The window that is open, or `None`.
        ranks: What takes part in each window and call.
        own_count: Rounds that the work of the test has by itself, none of which warms up; `None`: as many as
            the marker or the precision says.
    """

    def __init__(
        self,
        test_id: str,
        mark: EnergyMark,
        run: EnergyRun,
        *,
        place: ChosenPlace,
        confirming_count: int | None,
    ) -> None:
        self._test_id, self._mark, self._run, self._chosen = test_id, mark, run, place
        self._confirming_count = confirming_count
        self.open: OpenWindow | None = None
        self.own_count: int | None = None
        self.ranks = Alone() if is_yardstick(test_id) else run.ranks  # its loads are rank 0's alone

    def owned(self) -> AbstractContextManager[None]:
        """Own the devices of the test while the block runs."""
        return self._chosen.owned(self._mark.domains)

    @contextmanager
    def opened(self, test_id: str) -> Iterator[OpenWindow]:
        """A window that is open while the block runs, on all ranks; the block closes it."""
        meter = self._chosen.place.meter
        open_window = partial(meter.open, test_id, domains=self._mark.domains)
        self.open = opened = self.ranks.opened(open_window, meter.provenance)
        try:
            yield opened
        finally:
            self.open = None

    def take(
        self, work: Work[R], test_id: str, time_share: float, scheduler: RoundScheduler
    ) -> MeasuredRounds[R]:
        """As many rounds of *work* as it takes, in *time_share* of the time that the test has."""
        with live_line(self._run.config, test_id) as show:
            loop = RoundLoop(
                lambda call_index: work.run(call_index, self.open),
                measured=lambda calls: self._in_window(calls, work, test_id),
                plan=self._plan(work, test_id, time_share),
                clock=self._run.clock,
                progress=show,
                announce=self.ranks.say_round,
                active=self._run.gate.active_joules,
            )
            return self.ranks.schedule(scheduler, loop, self.owned, self._chosen.place.meter.provenance)

    def take_one(self, work: Work[object], test_id: str, call_index: int) -> Reading:
        """One round of *work*, of one call."""
        return self._in_window(lambda: work.run(call_index, self.open), work, test_id)[1]

    def _in_window(self, calls: Callable[[], R], work: Work[R], test_id: str) -> tuple[R, Reading]:
        """One round: what the last of *calls* returned, and what all of them used."""
        work.prepare()
        with self.opened(test_id) as opened:
            result, reading = calls(), opened.close()
        return result, work.conclude(reading)

    def _plan(self, work: Work[object], test_id: str, time_share: float) -> RoundPlan:
        settings, mark = self._run.settings, self._mark
        limit = self._chosen.place.meter.rounds_left(test_id)
        count = settings.round_count if mark.rounds is None else mark.rounds
        if self.own_count is not None and test_id == self._test_id:
            count = self.own_count
        return RoundPlan(
            count=count if self._confirming_count is None else self._confirming_count,
            limit=limit,
            precision=precision_for(self._run.tolerance(mark)),
            warmup_count=self.warmup_count(test_id, work),
            may_repeat=work.may_repeat and limit is None,
            max_time_s=time_share * self.time_s,
            void_retry_count=settings.void_retry_count,
            call_count=work.call_count,
        )

    @property
    def time_s(self) -> float:
        """Seconds that the test has."""
        return self._run.settings.max_time_s if self._mark.max_time_s is None else self._mark.max_time_s

    def warmup_count(self, test_id: str, work: Work[object] | None = None) -> int | None:
        """Rounds that are run first and dropped; `None`: as many as it takes to be flat."""
        if self._chosen.place.meter.rounds_left(test_id) is not None:
            return 0  # replayed joules are warm already
        if test_id == self._test_id:
            return self._mark.warmup if self.own_count is None else 0
        # A part may take microseconds: how many calls of it make a round must be found, unless it says so.
        return None if work is None or work.may_repeat else 0
