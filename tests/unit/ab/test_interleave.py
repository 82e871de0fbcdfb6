"""Rounds of two sides in turns, with sides and a clock that the test moves."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from msgspec.structs import replace as changed

from pytest_energy.ab.interleave import PairedRounds, PairPlan, interleave
from pytest_energy.ab.protocol import FinishedTest, ReadyTest
from pytest_energy.ab.side import EndedEarly
from pytest_energy.model import Reading
from tests.builders import reading
from tests.fakes.hand_clock import HandClock

READY = ReadyTest(
    call_count=1,
    may_repeat=True,
    limit=None,
    round_count=None,
    void_retry_count=2,
    max_time_s=1000.0,
    is_judged=True,
)
PLAN = PairPlan(least=5, cap=30, tolerance=0.02, max_time_s=None)
DONE = FinishedTest(outcome="passed", sources={})


@dataclass
class FakeSide:
    """A side whose round number i uses `energy_j(i)`, in 1 s; *log* is common to both sides."""

    name: str
    log: list[str]
    clock: HandClock
    ready: ReadyTest | FinishedTest = READY
    energy_j: Callable[[int], float] = lambda number: 100.0 + number % 2
    void_rounds: frozenset[int] = frozenset()
    ends_at: int | None = None
    calls: list[int] = field(default_factory=list)

    def begin(self, test_id: str, next_id: str | None) -> ReadyTest | FinishedTest:
        del next_id
        self.log.append(f"begin {self.name} {test_id}")
        return self.ready

    def take_round(self, call_count: int) -> Reading:
        number = len(self.calls)
        self.calls.append(call_count)
        self.clock.sleep_s(1.0)
        if number == self.ends_at:
            raise EndedEarly(FinishedTest(outcome="failed", text="it broke", sources={}))
        self.log.append(self.name)
        if number in self.void_rounds:
            return reading(channels={}, void_because="somebody else computed")
        return reading(self.energy_j(number))

    def finish(self) -> FinishedTest:
        self.log.append(f"finish {self.name}")
        return DONE


@dataclass
class Bench:
    """Two sides; what is given goes to the second."""

    log: list[str] = field(default_factory=list)
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.before, self.after = (FakeSide(name, self.log, self.clock) for name in "AB")

    def take(self, plan: PairPlan = PLAN) -> PairedRounds:
        return interleave(self.before, self.after, "test_work", None, plan=plan, clock=self.clock)

    def take_blocks(self, plan: PairPlan) -> list[PairedRounds]:
        """Blocks until the test is complete."""
        blocks: list[PairedRounds] = []
        while not (blocks and blocks[-1].is_complete):
            sides = (self.before, self.after)
            blocks.append(interleave(*sides, "test_work", None, plan=plan, clock=self.clock, earlier=blocks))
        return blocks

    @property
    def order(self) -> str:
        return "".join(word for word in self.log if word in {"A", "B"})


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_sides_take_turns_and_the_order_turns(bench: Bench) -> None:
    """A B, B A, B A, A B, ...; set-up and tear-down are one side's after the other's too."""
    taken = bench.take(replace(PLAN, least=4, cap=4))
    assert bench.order == "ABBABAAB"
    assert [word for word in bench.log if len(word) > 1] == [
        "begin A test_work",
        "begin B test_work",
        "finish A",
        "finish B",
    ]
    assert taken.is_interleaved
    assert len(taken.before) == len(taken.after) == 4


def test_quiet_rounds_end_by_their_width(bench: Bench) -> None:
    """Pairs that hardly differ are enough after six: two narrow widths in a row."""
    assert len(bench.take().before) == 6


def test_a_wanted_precision_takes_the_place_of_the_tolerances(bench: Bench) -> None:
    """Noisy pairs that are known well enough for it are enough."""
    bench.after.energy_j = lambda number: 100.0 * (1 + number % 3)
    assert len(bench.take(replace(PLAN, precision=1.0)).before) < len(bench.take().before) == PLAN.cap


def test_the_verdict_does_not_decide_when_to_stop(bench: Bench) -> None:
    """As many pairs are taken when one side uses three times as much."""
    bench.after.energy_j = lambda number: 300.0 + 3 * (number % 2)
    assert len(bench.take().before) == 6


def test_noisy_rounds_go_to_the_cap(bench: Bench) -> None:
    """Pairs that differ much are taken up to the cap."""
    bench.after.energy_j = lambda number: 100.0 * (1 + number % 3)
    assert len(bench.take(replace(PLAN, cap=9)).before) == 9


def test_the_time_ends_it(bench: Bench) -> None:
    """No pair is started after the time cap, which is the test's own on each side unless one is said."""
    bench.after.energy_j = lambda number: 100.0 * (1 + number % 3)
    assert len(bench.take(replace(PLAN, max_time_s=6.0)).before) == 3
    bench.before.ready = bench.after.ready = changed(READY, max_time_s=4.0)
    assert len(bench.take().before) == 4


def test_a_void_pair_is_taken_again(bench: Bench) -> None:
    """A pair with a void half doesn't count, neither half, and its turn is taken again."""
    bench.after.void_rounds = frozenset({1})
    taken = bench.take(replace(PLAN, least=4, cap=4))
    assert bench.order == "ABBABABAAB"
    assert taken.void_because is None
    assert len(taken.before) == len(taken.after) == 4
    assert all(one.void_because is None for one in (*taken.before, *taken.after))


def test_too_many_void_pairs_make_it_void(bench: Bench) -> None:
    """After as many repetitions as a run allows the reason is kept, and the tests are ended."""
    bench.before.void_rounds = frozenset(range(30))
    taken = bench.take()
    assert taken.void_because == "somebody else computed"
    assert len(bench.before.calls) == 3
    assert bench.log[-2:] == ["finish A", "finish B"]


@pytest.mark.parametrize(("which", "first"), [("before", 0), ("after", 1)])
def test_a_test_that_breaks_ends_both(bench: Bench, which: str, first: int) -> None:
    """A test that ends in the middle of its rounds is told, and the other side's is ended too."""
    getattr(bench, which).ends_at = 2
    taken = bench.take()
    assert taken.ended[first].text == "it broke"
    assert taken.ended[1 - first] == DONE
    assert bench.log[-1] == f"finish {'BA'[first]}"


def test_a_test_without_rounds_is_run_on_each_side(bench: Bench) -> None:
    """Sides that end at once leave nothing to take turns at."""
    bench.before.ready = bench.after.ready = DONE
    taken = bench.take()
    assert not taken.is_interleaved
    assert (taken.ended, bench.order) == ((DONE, DONE), "")


def test_one_side_without_rounds_ends_the_other(bench: Bench) -> None:
    """A side that waits for its turn is told to end when the other has none."""
    bench.before.ready = FinishedTest(outcome="failed", sources={})
    taken = bench.take()
    assert taken.ended == (bench.before.ready, DONE)
    assert bench.log[-1] == "finish B"


@pytest.mark.parametrize(
    ("counts", "called"), [((4, 5), (5, 5)), ((4, 8), (8, 8)), ((4, 9), (4, 9)), ((1, 1), (1, 1))]
)
def test_alike_sides_have_rounds_of_one_length(
    bench: Bench, counts: tuple[int, int], called: tuple[int, int]
) -> None:
    """The longer round is both sides', unless it is more than twice the other."""
    bench.before.ready, bench.after.ready = (changed(READY, call_count=count) for count in counts)
    bench.take()
    assert (bench.before.calls[0], bench.after.calls[0]) == called


def test_work_that_may_not_be_repeated_is_not(bench: Bench) -> None:
    """A side whose rounds hold one call keeps it."""
    bench.before.ready = changed(READY, may_repeat=False)
    bench.after.ready = changed(READY, call_count=2)
    bench.take()
    assert (bench.before.calls[0], bench.after.calls[0]) == (1, 2)


def test_rounds_that_were_asked_for_are_taken_at_least(bench: Bench) -> None:
    """A marker's rounds= is so many pairs where fewer would tell enough, and the cap still holds."""
    bench.after.ready = changed(READY, round_count=9)
    assert len(bench.take().before) == 10  # two narrow ones in a row from there
    assert len(bench.take(replace(PLAN, cap=4)).before) == 4


def test_work_that_can_not_be_repeated_is_one_pair_a_block(bench: Bench) -> None:
    """A marker's rounds=1 has every process do it once."""
    bench.after.ready = changed(READY, round_count=1)
    blocks = bench.take_blocks(replace(PLAN, block_count=3))
    assert [len(block.before) for block in blocks] == [1, 1, 1]


def test_every_block_has_its_share_and_its_order(bench: Bench) -> None:
    """Pairs are shared out; in every second block the sides are the other way round, set-up included."""
    blocks = bench.take_blocks(replace(PLAN, least=7, cap=7, block_count=3))
    assert [len(block.before) for block in blocks] == [3, 2, 2]
    assert bench.order == "ABBABA" + "BAAB" + "ABBA"
    begun = [word.split()[1] for word in bench.log if word.startswith("begin")]
    assert "".join(begun) == "ABBAAB"
    assert [block.is_complete for block in blocks] == [False, False, True]


def test_every_block_has_its_share_of_the_time(bench: Bench) -> None:
    """The time cap is that of a test over all blocks."""
    bench.after.energy_j = lambda number: 100.0 * (1 + number % 3)
    blocks = bench.take_blocks(replace(PLAN, max_time_s=12.0, block_count=3))
    assert [len(block.before) for block in blocks] == [2, 2, 2]


def test_quiet_blocks_end_by_their_width(bench: Bench) -> None:
    """A quiet test takes little more than the least in each block, a noisy one its whole share."""
    assert [len(one.before) for one in bench.take_blocks(replace(PLAN, block_count=3))] == [3, 3, 3]
    bench.after.energy_j = lambda number: 100.0 * (1 + number % 3)
    blocks = bench.take_blocks(replace(PLAN, block_count=3))
    assert [len(one.before) for one in blocks] == [10, 10, 10]


def test_a_replay_is_measured_in_one_block(bench: Bench) -> None:
    """Fresh processes read the same rounds again, which proves nothing."""
    bench.before.ready = bench.after.ready = changed(READY, limit=9)
    (block,) = bench.take_blocks(replace(PLAN, block_count=3))
    assert (len(block.before), block.is_complete) == (6, True)


def test_a_test_that_has_ended_early_needs_no_more_blocks(bench: Bench) -> None:
    """What broke once, or has no usable joules, is what the test is said to be."""
    bench.after.ends_at = 1
    (block,) = bench.take_blocks(replace(PLAN, block_count=3))
    assert block.is_complete
    bench.after.ends_at = None
    bench.before.void_rounds = frozenset(range(30))
    (block,) = bench.take_blocks(replace(PLAN, block_count=3))
    assert block.void_because == "somebody else computed"


def test_a_source_that_runs_out_ends_it(bench: Bench) -> None:
    """No more rounds are taken than a replay has."""
    bench.before.ready = changed(READY, limit=3)
    assert len(bench.take().before) == 3


def test_joules_that_are_not_judged_take_one_pair(bench: Bench) -> None:
    """An estimate that neither passes nor fails is only shown."""
    bench.before.ready = bench.after.ready = changed(READY, is_judged=False)
    assert len(bench.take().before) == 1


def test_rounds_of_no_joules_end_at_the_cap(bench: Bench) -> None:
    """A width that can't be told ends nothing."""
    bench.after.energy_j = lambda _: 0.0
    assert len(bench.take(replace(PLAN, cap=7)).before) == 7


def test_an_extended_plan_has_as_much_again(bench: Bench) -> None:
    """Twice the blocks, and in each of the new ones as many pairs and seconds as in the first."""
    bench.after.energy_j = lambda number: 100.0 * (1 + number % 3)
    plan = replace(PLAN, cap=6, block_count=2)
    first = bench.take_blocks(plan)
    reopened = [*first[:-1], replace(first[-1], is_complete=False)]
    more = replace(plan, extension=2)
    third = interleave(
        bench.before, bench.after, "test_work", None, plan=more, clock=bench.clock, earlier=reopened
    )
    assert [len(one.before) for one in (*first, third)] == [3, 3, 3]
    assert not third.is_complete
    fourth = interleave(
        bench.before, bench.after, "test_work", None, plan=more, clock=bench.clock, earlier=[*reopened, third]
    )
    assert fourth.is_complete
    timed = replace(more, cap=100, max_time_s=8.0)
    started_s = bench.clock.now_s()
    interleave(bench.before, bench.after, "test_work", None, plan=timed, clock=bench.clock, earlier=reopened)
    assert bench.clock.now_s() - started_s == 4.0
