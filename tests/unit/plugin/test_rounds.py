"""The loop of rounds, with work and windows of its own and a clock that the test moves."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest

from pytest_energy.model import Phase, Provenance, Reading
from pytest_energy.plugin.rounds import (
    MOST_ROUND_COUNT,
    MOST_WARMUP_COUNT,
    MeasuredRounds,
    RoundLoop,
    RoundPlan,
    Sequential,
)
from pytest_energy.verdict.policy import RoundsWanted
from tests.fakes.hand_clock import HandClock


@dataclass
class Bench:
    """Work of 1 s and 10 J a call, unless a test says otherwise, in windows known to *edge_j*."""

    energies_j: Callable[[int], float] = lambda _: 10.0
    edge_j: float = 0.01
    void_calls: frozenset[int] = frozenset()
    call_s: float = 1.0
    phases: tuple[Phase, ...] = ()
    calls: list[int] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)
    clock: HandClock = field(default_factory=HandClock)

    def work(self, index: int) -> str:
        self.calls.append(index)
        self.clock.sleep_s(self.call_s)
        return f"result {index}"

    def measured(self, work: Callable[[], str]) -> tuple[str, Reading]:
        first = len(self.calls)
        result = work()
        inside = self.calls[first:]
        is_void = any(index in self.void_calls for index in inside)
        reading = Reading(
            channels={} if is_void else {"gpu:0": sum(self.energies_j(index) for index in inside)},
            duration_s=self.call_s * len(inside),
            uncertainty_j=self.edge_j,
            provenance=Provenance.MEASURED,
            void_because="thermal slowdown" if is_void else None,
            phases=self.phases,
        )
        return result, reading

    def take(
        self,
        *,
        count: int | None = 5,
        limit: int | None = None,
        warmup_count: int | None = 1,
        may_repeat: bool = True,
        max_time_s: float = 1000.0,
        void_retry_count: int = 2,
        judge: Callable[[tuple[Reading, ...]], RoundsWanted | None] = lambda _: None,
    ) -> MeasuredRounds[str]:
        plan = RoundPlan(
            count=count,
            limit=limit,
            precision=0.02,
            warmup_count=warmup_count,
            may_repeat=may_repeat,
            max_time_s=max_time_s,
            void_retry_count=void_retry_count,
        )
        loop = RoundLoop(
            self.work,
            measured=self.measured,
            plan=plan,
            clock=self.clock,
            progress=self.progress.append,
        )
        return Sequential(judge).schedule(loop, nullcontext)


def test_warm_up_rounds_are_dropped() -> None:
    """The first rounds run and don't count; the last result is the last round's."""
    bench = Bench()
    taken = bench.take(warmup_count=2, count=3)
    assert bench.calls == [0, 1, 2, 3, 4]
    assert len(taken.rounds) == 3
    assert (taken.result, taken.warmup_count) == ("result 4", 2)


def test_warm_up_goes_on_until_it_is_flat() -> None:
    """A ramp that falls from 20 J to 10 J is dropped as long as it falls by more than the precision."""
    ramp_j = [20.0, 12.0, 10.1]
    bench = Bench(energies_j=lambda index: ramp_j[index] if index < 3 else 10.0)
    taken = bench.take(warmup_count=None)
    assert taken.warmup_count == 4
    assert [reading.energy_j for reading in taken.rounds] == [10.0] * 5


def test_warm_up_of_work_that_never_settles_ends() -> None:
    """Work that changes by a tenth each time is measured after so many rounds all the same."""
    bench = Bench(energies_j=lambda index: 10.0 * 1.1**index)
    assert bench.take(warmup_count=None).warmup_count == MOST_WARMUP_COUNT


def test_warm_up_ends_with_its_share_of_the_time() -> None:
    """A quarter of the time cap at most goes into warm-up."""
    bench = Bench(energies_j=lambda index: 10.0 * 1.1**index, call_s=20.0)
    assert bench.take(warmup_count=None, max_time_s=100.0).warmup_count == 2


def test_a_round_holds_as_many_calls_as_its_joules_need() -> None:
    """10 J known to 0.2 J is 2 %: a quarter of 2 % takes four calls; the joules are those of one."""
    bench = Bench(edge_j=0.2)
    taken = bench.take()
    assert [reading.call_count for reading in taken.rounds] == [4] * 5
    assert len(bench.calls) == 1 + 5 * 4
    assert [reading.energy_j for reading in taken.rounds] == [10.0] * 5
    assert [reading.duration_s for reading in taken.rounds] == [1.0] * 5
    assert [reading.uncertainty_j for reading in taken.rounds] == [0.05] * 5


def test_a_warm_up_too_short_to_read_makes_the_round_longer() -> None:
    """Where a call can't be read at all, many are put into a round."""
    bench = Bench(void_calls=frozenset({0}))
    assert bench.take().rounds[0].call_count == 8


def test_a_round_is_never_longer_than_its_share_of_the_time() -> None:
    """A twentieth of the time cap is the most that one round may take."""
    bench = Bench(edge_j=5.0)
    assert bench.take(max_time_s=60.0).rounds[0].call_count == 3


@pytest.mark.parametrize("reason", ["phases", "may not"])
def test_work_that_may_not_be_repeated_is_called_once_a_round(reason: str) -> None:
    """A round with named phases, or one whose length is its point (a request load), holds one call."""
    phase = Phase(name="decode", energy_j=1.0, uncertainty_j=0.1, duration_s=0.1)
    bench = Bench(edge_j=0.2, phases=(phase,) if reason == "phases" else ())
    assert bench.take(may_repeat=reason == "phases").rounds[0].call_count == 1


def test_rounds_end_when_the_mean_is_known() -> None:
    """Equal rounds end after the least number and a confirmation."""
    assert len(Bench().take(count=None).rounds) == 6


def test_rounds_end_at_the_cap() -> None:
    """Work that varies by a half goes on to the cap and not further."""
    bench = Bench(energies_j=lambda index: 5.0 if index % 2 else 15.0)
    assert len(bench.take(count=None).rounds) == MOST_ROUND_COUNT


def test_rounds_end_with_the_time() -> None:
    """No round is started after the time cap; one is always taken."""
    assert len(Bench(call_s=3.0).take(warmup_count=0, max_time_s=7.0).rounds) == 3
    assert len(Bench(call_s=30.0).take(warmup_count=0, max_time_s=7.0).rounds) == 1


def test_rounds_end_with_the_source() -> None:
    """A replay that has three rounds gives three."""
    assert len(Bench().take(warmup_count=0, limit=3, count=None).rounds) == 3


def test_a_void_round_is_repeated() -> None:
    """One void round is replaced by another; the record isn't void."""
    bench = Bench(void_calls=frozenset({2}))
    taken = bench.take()
    assert [reading.void_because for reading in taken.rounds] == [None] * 5
    assert len(bench.calls) == 7


def test_rounds_that_stay_void_end_the_loop_with_the_void_one_last() -> None:
    """After the retries the last round says why."""
    bench = Bench(void_calls=frozenset(range(3, 100)))
    taken = bench.take()
    assert [reading.void_because for reading in taken.rounds] == [None, None, "thermal slowdown"]
    assert len(bench.calls) == 6


def test_a_void_round_of_a_source_without_more_ends_the_loop() -> None:
    """A replay whose only round is void has no other to repeat it with."""
    taken = Bench(void_calls=frozenset({0})).take(warmup_count=0, limit=1)
    assert [reading.void_because for reading in taken.rounds] == ["thermal slowdown"]


def test_progress_says_round_joules_and_precision() -> None:
    """Someone who watches sees the round, the mean so far, how well it is known, and the time left."""
    bench = Bench(energies_j=lambda index: 10.0 + 0.1 * (index % 2))
    bench.take(count=3)
    assert bench.progress[:3] == ["warm-up 1", "round 1", "round 2, 10.1 J, ~2 s left"]
    assert bench.progress[3].startswith("round 3, 10.1 J +- ")
    assert bench.progress[3].endswith(", ~1 s left")


def test_the_time_left_is_at_most_that_of_the_cap() -> None:
    """Where precision decides, no more than the most rounds and the time that there is are told."""
    bench = Bench()
    bench.take(count=None, max_time_s=8.0)
    assert ", <" in bench.progress[2]
    assert all(float(text.split(", <")[1].split()[0]) <= 8 for text in bench.progress[2:])


def test_the_time_left_of_a_confirming_batch_is_its_own() -> None:
    """After five rounds of a second each, the confirming batch has five more to go."""
    bench = Bench()
    bench.take(count=5, judge=asking(RoundsWanted(count=5, is_confirming=True)))
    assert bench.progress[6].endswith(", ~5 s left")


def asking(*wanted: RoundsWanted | None) -> Callable[[tuple[Reading, ...]], RoundsWanted | None]:
    """A judge that gives these answers, one after the other, and then wants no more."""
    answers = list(wanted)
    return lambda _: answers.pop(0) if answers else None


def test_a_second_batch_confirms_with_a_time_of_its_own() -> None:
    """The rounds that are asked for to confirm follow the first, though the time of those is up."""
    bench = Bench()
    taken = bench.take(count=5, max_time_s=6.0, judge=asking(RoundsWanted(count=5, is_confirming=True)))
    assert (len(taken.rounds), taken.confirming_count) == (10, 5)


def test_rounds_that_tell_more_are_taken_once() -> None:
    """Whoever asks again and again gets one extension: looking each time would be peeking."""
    more = RoundsWanted(count=4, is_confirming=False)
    taken = Bench().take(count=None, judge=asking(more, more, more))
    assert (len(taken.rounds), taken.confirming_count) == (6 + 4, 0)


def test_a_fixed_number_of_rounds_is_not_extended() -> None:
    """Who asks for five rounds gets five."""
    assert len(Bench().take(count=5, judge=asking(RoundsWanted(count=4, is_confirming=False))).rounds) == 5


def test_an_extension_may_be_confirmed() -> None:
    """What the extension makes look like a regression is confirmed like any."""
    judge = asking(RoundsWanted(count=4, is_confirming=False), RoundsWanted(count=10, is_confirming=True))
    taken = Bench().take(count=None, judge=judge)
    assert (len(taken.rounds), taken.confirming_count) == (20, 10)


def test_a_replay_without_rounds_left_confirms_nothing() -> None:
    """A source of seven rounds has two left to confirm five; one of six has too few."""
    confirming = RoundsWanted(count=5, is_confirming=True)
    assert Bench().take(count=5, limit=7, judge=asking(confirming)).confirming_count == 2
    taken = Bench().take(count=5, limit=6, judge=asking(confirming))
    assert (len(taken.rounds), taken.confirming_count) == (5, 0)


def test_nobody_is_asked_about_void_rounds() -> None:
    """A round that was void in vain ends it: there is nothing to confirm."""
    bench = Bench(void_calls=frozenset(range(1, 20)))
    taken = bench.take(judge=asking(RoundsWanted(count=5, is_confirming=True)))
    assert taken.rounds[-1].void_because is not None
    assert taken.confirming_count == 0
