"""The tests of a session judged together, by work and waiting."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_energy.baselines.schema import Baseline
from pytest_energy.basis import Basis
from pytest_energy.judgement import Part, Verdict
from pytest_energy.model import Record
from pytest_energy.verdict.findings import (
    Compared,
    Crept,
    Decision,
    FewLargeRounds,
    MachineMoved,
    NotConfirmed,
)
from pytest_energy.verdict.history import entry_of, history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.session import SessionDecision, Trial, decide_session, of_one_session
from tests.builders import KEY, STEADY, reading, record

CPU = "cpu:package-0"
READY_W = 100.0
TEST_COUNT = 12


def _round_record(
    number: int,
    rng: random.Random,
    *,
    work: float = 1.0,
    waiting: float = 1.0,
    host_sd: float = 0.1,
    round_count: int = 6,
) -> Record:
    """Rounds of 60 J of work (CV 1 %) in a second of 100 W that a shared host stretches by *host_sd*."""
    stretch = math.exp(rng.gauss(0.0, host_sd))
    rounds = []
    for place in range(round_count):
        duration_s = waiting * stretch * math.exp(rng.gauss(0.0, host_sd / 3))
        active_j = work * (60.0 + number) * math.exp(rng.gauss(0.0, 0.01))
        one = reading(active_j + READY_W * duration_s, duration_s=duration_s)
        rounds.append(replace(one, quiet_power_w={"gpu:0": READY_W}, temperatures_c={"gpu:0": 40.0 + place}))
    return record(rounds=rounds, test_id=f"test_suite.py::test_{number}")


def _session(seed: int, name: str, **planted: float) -> tuple[Record, ...]:
    """All tests of one session; what is *planted* is so in each."""
    rng = random.Random(seed)  # noqa: S311
    records = [_round_record(number, rng, **planted) for number in range(TEST_COUNT)]  # type: ignore[arg-type]
    return of_one_session(records, name)


def _trials(
    fresh: Sequence[Record], sessions: Sequence[Sequence[Record]], policy: Policy | None = None
) -> list[Trial]:
    policy = policy or Policy()
    return [
        Trial(
            record=one,
            history=history_of(
                Baseline(
                    test_id=one.test_id,
                    machine_key=KEY,
                    entries=tuple(session[place] for session in sessions),
                ),
                policy.basis,
            ),
            policy=policy,
        )
        for place, one in enumerate(fresh)
    ]


def _judged(
    fresh: Sequence[Record], sessions: Sequence[Sequence[Record]], policy: Policy | None = None
) -> SessionDecision:
    return decide_session(_trials(fresh, sessions, policy), tolerance=0.05, alpha=0.05)


def _compared(decision: Decision) -> Compared:
    finding = decision.compared
    assert finding is not None
    return finding


BASELINE = [_session(seed, f"s{seed}") for seed in (1, 2, 3)]


def _with_one(planted: Record) -> list[Record]:
    """An unchanged session in which *planted* is in place of its test."""
    return [planted if one.test_id == planted.test_id else one for one in _session(9, "fresh")]


def _planted(number: int, *, round_count: int = 6, **planted: float) -> Record:
    rng = random.Random(77)  # noqa: S311
    (one,) = of_one_session([_round_record(number, rng, round_count=round_count, **planted)], "fresh")
    return one


def test_unchanged_tests_pass_on_a_host_whose_time_differs() -> None:
    """Seconds that differ by 10 % between sessions make gross joules differ, and fail nothing."""
    decision = _judged(_session(9, "fresh"), BASELINE)
    assert {one.verdict for one in decision.decisions} == {Verdict.PASS}
    assert decision.failure is None


def test_more_work_is_a_regression_of_work() -> None:
    """10 % more active joules in one test is detected, named, and the only failure."""
    decision = _judged(_with_one(_planted(4, work=1.10)), BASELINE)
    verdicts = {one.record.test_id: one.verdict for one in decision.decisions}
    assert [name for name, verdict in verdicts.items() if verdict is Verdict.REGRESSION] == [
        "test_suite.py::test_4"
    ]
    decisive = _compared(decision.decisions[4]).decisive
    assert decisive is not None
    assert decisive.part is Part.WORK
    assert decisive.ratio == pytest.approx(1.10, abs=0.02)


def test_a_long_wait_on_a_shared_host_is_shown() -> None:
    """Twice the seconds may be the host: shown, and a failure where nothing but waiting was asked for."""
    fresh = _with_one(_planted(4, waiting=2.6))
    shown = _judged(fresh, BASELINE).decisions[4]
    assert shown.verdict is Verdict.PASS
    waiting = _compared(shown).comparison.parts[1]
    assert (waiting.verdict, waiting.is_judged) == (Verdict.REGRESSION, False)
    asked = _judged(fresh, BASELINE, Policy(parts=frozenset({Part.WAITING}))).decisions[4]
    assert asked.verdict is Verdict.REGRESSION
    decisive = _compared(asked).decisive
    assert decisive is not None
    assert decisive.part is Part.WAITING


def test_a_wait_that_no_host_explains_fails() -> None:
    """Six times the seconds are not a slow host."""
    decision = _judged(_with_one(_planted(4, waiting=6.0)), BASELINE).decisions[4]
    assert decision.verdict is Verdict.REGRESSION
    decisive = _compared(decision).decisive
    assert decisive is not None
    assert (decisive.part, decisive.is_judged) == (Part.WAITING, True)


def test_waiting_is_too_blunt_to_be_judged_on_a_shared_host() -> None:
    """Where seconds differ by 10 % a change of 5 % can't be told, and doesn't make a verdict."""
    parts = _compared(_judged(_session(9, "fresh"), BASELINE).decisions[0]).comparison.parts
    assert [(part.part, part.is_judged) for part in parts] == [(Part.WORK, True), (Part.WAITING, False)]


def test_waiting_is_sharp_on_a_host_of_one_s_own() -> None:
    """Where seconds repeat, 10 % more of them fail."""
    quiet = [_session(seed, f"q{seed}", host_sd=0.003) for seed in (1, 2, 3)]
    fresh = list(_session(9, "fresh", host_sd=0.003))
    fresh[4] = _planted(4, waiting=1.2, host_sd=0.003)
    decisions = _judged(fresh, quiet).decisions
    assert decisions[4].verdict is Verdict.REGRESSION
    assert {one.verdict for place, one in enumerate(decisions) if place != 4} == {Verdict.PASS}


def test_only_the_parts_that_are_asked_for_fail() -> None:
    """With parts="waiting" more work is shown, and fails nothing."""
    policy = Policy(parts=frozenset({Part.WAITING}))
    decision = _judged(_with_one(_planted(4, work=1.3)), BASELINE, policy).decisions[4]
    assert decision.verdict is not Verdict.REGRESSION
    work, _ = _compared(decision).comparison.parts
    assert (work.verdict, work.is_judged) == (Verdict.REGRESSION, False)


def test_all_tests_together_fail_the_run_once() -> None:
    """Every test 8 % up is one failure, of the run; no test fails for it."""
    decision = _judged(_session(9, "fresh", work=1.08), BASELINE)
    assert Verdict.REGRESSION not in {one.verdict for one in decision.decisions}
    assert decision.failure is not None
    (factor,) = decision.factors
    assert factor.ratio == pytest.approx(1.08, abs=0.01)
    assert factor.test_count == TEST_COUNT


@pytest.mark.parametrize(("card", "fails"), [(1.08, False), (1.0, True)])
def test_the_yardstick_tells_card_from_code(card: float, *, fails: bool) -> None:
    """Where a fixed load has moved as far as the tests, the machine is the cause and nothing fails."""
    rng = random.Random(5)  # noqa: S311

    def load(ratio: float, name: str) -> Record:
        (one,) = of_one_session([_round_record(0, rng, work=ratio, host_sd=0.01)], name)
        return replace(one, test_id="yardstick::compute")

    sessions = [[load(1.0, f"s{seed}")] for seed in (1, 2, 3)]
    yardstick = _trials([load(card, "fresh")], sessions)
    trials = _trials(_session(9, "fresh", work=1.08), BASELINE)
    decision = decide_session(trials, tolerance=0.05, alpha=0.05, yardstick=yardstick)
    assert (decision.failure is not None) == fails
    assert card - 0.03 < decision.factors[0].yardstick["compute"] <= card
    assert any("compute" in text for text in (*decision.notes, decision.failure or ""))


def test_a_rest_has_no_work_that_could_explain_any() -> None:
    """What is left of a rest's joules beside ready power is chance: a factor of two of it says nothing."""
    rng = random.Random(5)  # noqa: S311

    def rest(ratio: float, name: str) -> Record:
        (one,) = of_one_session([_round_record(0, rng, work=ratio, host_sd=0.01)], name)
        return replace(one, test_id="yardstick::gpu-rest")

    yardstick = _trials([rest(2.0, "fresh")], [[rest(1.0, f"s{seed}")] for seed in (1, 2, 3)])
    trials = _trials(_session(9, "fresh", work=1.08), BASELINE)
    decision = decide_session(trials, tolerance=0.05, alpha=0.05, yardstick=yardstick)
    assert decision.failure is not None
    assert decision.factors[0].yardstick == {}


def test_few_large_rounds_don_t_pass() -> None:
    """One round of ten that uses twice the work is no pass, although the usual round is unchanged."""
    rng = random.Random(3)  # noqa: S311
    usual = _planted(4, round_count=9, host_sd=0.01)
    large = of_one_session([_round_record(4, rng, work=2.0, round_count=1, host_sd=0.01)])[0].rounds
    spiky = replace(usual, rounds=(*usual.rounds, *large))
    decision = _judged(_with_one(spiky), BASELINE).decisions[4]
    assert decision.verdict is Verdict.INCONCLUSIVE
    doubt = _compared(decision).doubt
    assert isinstance(doubt, FewLargeRounds)
    assert doubt.plain_ratio > 1.05


def test_a_rise_that_the_second_batch_doesn_t_show_is_none() -> None:
    """A neighbour of some seconds, met by the first batch alone, fails nothing."""
    first, second = _planted(4, work=1.15), _planted(4, work=1.0)
    both = replace(first, rounds=(*first.rounds, *second.rounds), confirming_count=len(second.rounds))
    decision = _judged(_with_one(both), BASELINE).decisions[4]
    assert decision.verdict in {Verdict.INCONCLUSIVE, Verdict.PASS}
    doubt = _compared(decision).doubt
    assert doubt is None or isinstance(doubt, NotConfirmed)


def test_a_creep_fails_against_the_first_sessions() -> None:
    """Ten sessions, each 1 % above the last: the newest judge nothing, the first three do."""
    creeping = [
        [record(energy_j=100.0 * 1.01**step, created=f"2025-11-{step + 1:02}T10:00:00Z")]
        for step in range(10)
    ]
    fresh = [record(energy_j=100.0 * 1.01**12)]
    (decision,) = _judged(fresh, creeping).decisions
    assert decision.verdict is Verdict.REGRESSION
    crept = _compared(decision).crept
    assert isinstance(crept, Crept)
    assert crept.entry_count == 3
    assert crept.ratio == pytest.approx(1.01**11, rel=0.005)


def test_an_odd_session_is_left_out_and_named() -> None:
    """One session of five 12 % up takes nothing from what is detected."""
    sessions = [
        [record(energy_j=value, created=f"2025-11-{place + 1:02}T10:00:00Z")]
        for place, value in enumerate([100.0, 112.0, 100.3, 99.8, 100.1])
    ]
    (decision,) = _judged([record(energy_j=110.0)], sessions).decisions
    assert decision.verdict is Verdict.REGRESSION
    assert _compared(decision).odd_entries == ("2025-11-02T10:00:00Z",)


def test_joules_without_parts_say_why() -> None:
    """Without ready power joules are judged as a whole, with the reason."""
    (decision,) = _judged([record()], [[record()]]).decisions
    comparison = _compared(decision).comparison
    assert comparison.parts == ()
    assert comparison.no_parts_because == "ready power of gpu:0 is not known"


def test_attempts_at_one_code_are_judged_together() -> None:
    """A rise that a first attempt showed isn't gone because the third didn't: the mean of all is judged."""
    sessions = [[record(energy_j=value)] for value in (100.0, 100.4, 99.7)]
    (trial,) = _trials([record(energy_j=100.0)], sessions)
    basis = trial.policy.basis
    alone = decide_session([trial], tolerance=0.05, alpha=0.05).decisions[0]
    earlier = tuple(entry_of(record(energy_j=value), basis) for value in (125.0, 124.0))
    together = decide_session([replace(trial, attempts=earlier)], tolerance=0.05, alpha=0.05).decisions[0]
    assert alone.verdict is Verdict.PASS
    assert together.verdict is Verdict.REGRESSION
    assert _compared(together).comparison.ratio == pytest.approx((1.25 * 1.24 * 1.0) ** (1 / 3), rel=0.01)


def test_more_attempts_are_surer() -> None:
    """The mean of three sessions differs less from the baseline by chance than one session does."""
    sessions = [[record(energy_j=value)] for value in (100.0, 100.4, 99.7)]
    (trial,) = _trials([record(energy_j=100.0)], sessions)
    earlier = tuple(entry_of(record(energy_j=value), trial.policy.basis) for value in (100.2, 99.9))

    def width(one: Trial) -> float:
        low, high = _compared(
            decide_session([one], tolerance=0.05, alpha=0.05).decisions[0]
        ).comparison.ratio_ci
        return high - low

    assert width(replace(trial, attempts=earlier)) < 0.85 * width(trial)


def test_net_joules_of_a_channel_without_a_ready_power_of_its_own_do_not_wait() -> None:
    """Idle power stands in for ready power and is taken off, so that a second of waiting costs nothing."""

    def session(created: str, name: str) -> tuple[Record, ...]:
        records = [
            replace(
                record(rounds=[reading(channels={CPU: (100.0 + number) * share}) for share in STEADY]),
                idle_power_w={CPU: 20.0},
                created=created,
            )
            for number in range(TEST_COUNT)
        ]
        of_tests = [replace(one, test_id=f"t.py::test_{number}") for number, one in enumerate(records)]
        return of_one_session(of_tests, name)

    sessions = [session(f"2025-11-20T1{place}:00:00Z", f"s{place}") for place in range(2)]
    net = Policy(basis=Basis(is_net=True))
    decision = _judged(session("2025-11-21T10:00:00Z", "fresh"), sessions, net)
    compared = _compared(decision.decisions[0])
    assert compared.comparison.parts == ()
    assert compared.decisive is not None
    assert compared.decisive.part is Part.WORK
    assert compared.decisive.allowed_ratio == pytest.approx(1.05)
    assert {one.verdict for one in decision.decisions} == {Verdict.PASS}


@pytest.mark.parametrize(("card", "verdict"), [(1.10, Verdict.INCONCLUSIVE), (1.0, Verdict.REGRESSION)])
def test_a_test_by_itself_asks_the_yardstick(card: float, verdict: Verdict) -> None:
    """Too few tests tell a card from code; a fixed load that rose as far does."""
    sessions = [[record(energy_j=value)] for value in (100.0, 100.4, 99.7)]
    loads = [[replace(record(energy_j=50.0), test_id="yardstick::cpu-compute")] for _ in range(3)]
    moved = replace(record(energy_j=50.0 * card), test_id="yardstick::cpu-compute")
    decision = decide_session(
        _trials([record(energy_j=110.0)], sessions),
        tolerance=0.05,
        alpha=0.05,
        yardstick=_trials([moved], loads),
    ).decisions[0]
    assert decision.verdict is verdict
    doubt = _compared(decision).doubt
    assert isinstance(doubt, MachineMoved) == (card > 1)
    if isinstance(doubt, MachineMoved):
        assert doubt.load == "cpu-compute"
        assert 1.06 < doubt.ratio < card
