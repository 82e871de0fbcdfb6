"""Phases of a test against those of its baseline: which is named, which fails, and which has no say."""

from dataclasses import replace

import pytest

from pytest_energy.basis import Basis
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Part, Verdict
from pytest_energy.model import Reading, Record
from pytest_energy.ready import ReadyPower
from pytest_energy.stats.ratio import ratio_of
from pytest_energy.verdict.findings import AgainstPhase, ByChance, Decision, NotConfirmed, PhaseUnknown
from pytest_energy.verdict.history import entry_of, history_of, mean_entry
from pytest_energy.verdict.phase_changes import comparison_count
from pytest_energy.verdict.phase_record import phase_record, phase_records
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import more_rounds
from pytest_energy.verdict.session import Trial, case_of
from pytest_energy.verdict.suite import Suite, suite_of
from tests.builders import baseline, decided, phased, reading

USUAL_J = {"load": 20.0, "train": 60.0, "serve": 20.0}
MOVED_J = {"load": 20.0, "train": 72.0, "serve": 8.0}  # the same total
ALL = Policy(phase_baselines=("all",))


def sessions(count: int = 3) -> tuple[Record, ...]:
    """Of unchanged code; they differ by 0.2 %."""
    return tuple(
        phased(
            {name: one_j * (1 + 0.002 * (number % 3 - 1)) for name, one_j in USUAL_J.items()},
            created=f"2025-11-20T1{number}:00:00Z",
        )
        for number in range(count)
    )


def verdicts(decision: Decision) -> dict[str, Verdict]:
    return {one.comparison.name: one.verdict for one in decision.findings if isinstance(one, AgainstPhase)}


# ---- which phase fails its test ----


def test_unchanged_phases_pass() -> None:
    """Each has a verdict of its own, and they are in the comparison in the order of the round."""
    decision = decided(phased(USUAL_J), baseline(*sessions()), policy=ALL)
    assert decision.verdict is Verdict.PASS
    assert verdicts(decision) == dict.fromkeys(USUAL_J, Verdict.PASS)
    assert decision.compared is not None
    assert [one.name for one in decision.compared.comparison.compared_phases] == [*USUAL_J]


def test_a_phase_that_rose_fails_its_test_with_the_total_unchanged() -> None:
    """The finding names it, and comes first."""
    decision = decided(phased(MOVED_J), baseline(*sessions()), policy=ALL)
    assert decision.verdict is Verdict.REGRESSION
    worst = decision.findings[0]
    assert isinstance(worst, AgainstPhase)
    assert worst.comparison.name == "train"
    assert worst.comparison.ratio == pytest.approx(1.2, rel=1e-3)
    assert decision.compared is not None
    assert decision.compared.verdict is Verdict.PASS


def test_a_phase_that_was_not_asked_for_is_shown_and_has_no_say() -> None:
    """Its verdict is in the comparison, and the test passes."""
    decision = decided(phased(MOVED_J), baseline(*sessions()))
    assert decision.verdict is Verdict.PASS
    assert verdicts(decision) == {}
    assert decision.compared is not None
    shown = {one.name: one for one in decision.compared.comparison.compared_phases}
    assert shown["train"].verdict is Verdict.REGRESSION
    assert not shown["train"].is_judged
    assert not decision.compared.comparison.is_rise


def test_a_phase_by_name_is_judged_alone() -> None:
    """Another that rose is shown."""
    policy = Policy(phase_baselines=("load",))
    decision = decided(phased(MOVED_J), baseline(*sessions()), policy=policy)
    assert decision.verdict is Verdict.PASS
    assert verdicts(decision) == {"load": Verdict.PASS}


def test_a_saving_of_a_judged_phase_is_an_improvement() -> None:
    """So that it may be kept: its loss fails the test then."""
    decision = decided(phased({**USUAL_J, "serve": 10.0}), baseline(*sessions()), policy=ALL)
    assert decision.verdict is Verdict.IMPROVEMENT


def test_a_phase_whose_edges_are_blunt_is_inconclusive() -> None:
    """The uncertainty of its interpolated edges is in its bounds, and does not average away."""
    fresh = phased(MOVED_J, uncertainty_share=0.15)
    decision = decided(fresh, baseline(*sessions()), policy=Policy(phase_baselines=("train",)))
    assert verdicts(decision) == {"train": Verdict.INCONCLUSIVE}
    assert decision.verdict is Verdict.INCONCLUSIVE


def test_a_creep_of_a_phase_fails_at_last() -> None:
    """The first sessions of the level are a gate for each phase, too."""
    crept = [
        phased({**USUAL_J, "train": 60.0 * 1.012**number}, created=f"2025-11-{number + 1:02}T10:00:00Z")
        for number in range(10)
    ]
    decision = decided(phased({**USUAL_J, "train": 60.0 * 1.012**10}), baseline(*crept), policy=ALL)
    worst = decision.findings[0]
    assert isinstance(worst, AgainstPhase)
    assert worst.comparison.name == "train"
    assert worst.crept is not None


# ---- what has nothing to compare with ----


def test_a_baseline_without_phases_still_judges_the_test() -> None:
    """One from before: the test's own joules are compared, and its phases are `no-baseline`, never `pass`."""
    decision = decided(phased(USUAL_J), baseline(), policy=ALL)
    assert decision.verdict is Verdict.NO_BASELINE
    assert decision.compared is not None
    assert decision.compared.verdict is Verdict.PASS
    assert {*decision.compared.comparison.absent_phases} == {*USUAL_J}
    assert decided(phased(USUAL_J), baseline()).verdict is Verdict.PASS


def test_a_regression_of_the_test_comes_before_a_phase_without_a_baseline() -> None:
    """What fails is never hidden by what can't be judged."""
    decision = decided(phased(USUAL_J, whole_j=130.0), baseline(), policy=ALL)
    assert decision.verdict is Verdict.REGRESSION


def test_a_phase_that_one_round_lacks_is_inconclusive() -> None:
    """A mean over the other rounds would be of other work."""
    fresh = phased(USUAL_J)
    first, *others = fresh.rounds
    fresh = replace(fresh, rounds=(replace(first, phases=first.phases[:2]), *others))
    decision = decided(fresh, baseline(*sessions()), policy=ALL)
    assert decision.verdict is Verdict.INCONCLUSIVE
    unknown = decision.findings[0]
    assert isinstance(unknown, PhaseUnknown)
    assert unknown.name == "serve"
    assert unknown.because == "a round has no phase 'serve'. Its phases: load, train"


def test_a_phase_that_the_newest_session_lacks_is_expected_no_more() -> None:
    """It was accepted without; if it comes again, the sessions that have it judge."""
    without = {name: one_j for name, one_j in USUAL_J.items() if name != "load"}
    stored = baseline(*sessions(), phased(without, created="2025-11-21T10:00:00Z"))
    assert verdicts(decided(phased(without), stored, policy=ALL)) == dict.fromkeys(without, Verdict.PASS)
    again = decided(phased({**USUAL_J, "load": 30.0}), stored, policy=ALL)
    assert verdicts(again)["load"] is Verdict.REGRESSION


def test_a_phase_without_joules_is_inconclusive() -> None:
    """With the reason of its window; absent joules are never 0."""
    fresh = phased(USUAL_J)
    rounds = [
        replace(
            one, phases=(replace(one.phases[0], energy_j=None, uncertainty_j=None, quality=("no tick",)),)
        )
        for one in fresh.rounds
    ]
    decision = decided(replace(fresh, rounds=tuple(rounds)), baseline(*sessions()), policy=ALL)
    assert decision.compared is not None
    assert decision.compared.comparison.absent_phases["load"] == "no tick"


# ---- how sure it must be ----


def test_each_judged_phase_is_one_comparison_more() -> None:
    """Phases that are shown are none: they fail nothing."""
    history = history_of(baseline(*sessions()), Basis())
    assert comparison_count(history, ALL) == 4
    assert comparison_count(history, Policy(phase_baselines=("train",))) == 2
    assert comparison_count(history, Policy()) == 1


def test_a_rise_of_a_phase_may_be_chance_among_many() -> None:
    """As that of a test: it must exclude no change at alpha over all comparisons."""
    many = Suite(test_count=100_000)
    decision = decided(phased({**USUAL_J, "train": 66.0}), baseline(*sessions()), policy=ALL, suite=many)
    doubts = [one.doubt for one in decision.findings if isinstance(one, AgainstPhase) and one.doubt]
    assert [type(one) for one in doubts] == [ByChance]


def test_phases_count_among_the_comparisons_of_a_session() -> None:
    """A rise of a test with three judged phases must exclude no change at alpha over four."""
    record = phased({**USUAL_J, "train": 65.3})
    history = history_of(baseline(*sessions()), Basis())
    cases = [case_of(Trial(record=record, history=history, policy=one)) for one in (ALL, Policy())]
    assert [suite_of([case]).test_count for case in cases if case is not None] == [4, 1]


def test_a_phase_that_looks_worse_is_confirmed_first() -> None:
    """More rounds are asked for, as many as there were."""
    history = history_of(baseline(*sessions()), Basis())
    wanted = more_rounds(phased(MOVED_J), history=history, policy=ALL, cap=100)
    assert wanted is not None
    assert wanted.is_confirming
    assert wanted.count == 5
    assert more_rounds(phased(MOVED_J), history=history, policy=Policy(), cap=100) is None


def test_a_phase_that_the_second_batch_does_not_show_is_in_doubt() -> None:
    """Both batches must show the rise by themselves."""
    first, second = phased({**USUAL_J, "train": 84.0}), phased({**USUAL_J, "train": 62.0})
    both = replace(first, rounds=(*first.rounds, *second.rounds), confirming_count=5)
    decision = decided(
        both, baseline(*sessions(5)), policy=Policy(phase_baselines=("train",), tolerance=0.02)
    )
    phase = next(one for one in decision.findings if isinstance(one, AgainstPhase))
    assert phase.verdict is not Verdict.REGRESSION
    assert phase.doubt is None or isinstance(phase.doubt, NotConfirmed)


# ---- of which joules ----


def test_a_phase_has_parts_where_ready_power_is_known() -> None:
    """A slow host makes each phase longer at ready power: that is no rise of its work."""
    ready = {"gpu:0": ReadyPower(power_w=50.0)}
    before = [replace(one, ready_power=ready) for one in sessions()]

    def slower(one: Reading) -> Reading:
        phases = tuple(
            replace(
                phase,
                duration_s=phase.duration_s * 1.3,
                energy_j=(phase.energy_j or 0.0) + 50.0 * 0.3 * phase.duration_s,
            )
            for phase in one.phases
        )
        return replace(one, phases=phases, duration_s=one.duration_s * 1.3, channels={"gpu:0": 115.0})

    usual = replace(phased(USUAL_J), ready_power=ready)
    fresh = replace(usual, rounds=tuple(map(slower, usual.rounds)))
    decision = decided(fresh, baseline(*before), policy=replace(ALL, parts=frozenset({Part.WORK})))
    found = [one.comparison for one in decision.findings if isinstance(one, AgainstPhase)]
    assert {one.part for one in found} == {Part.WORK}
    assert [one.ratio for one in found] == pytest.approx([1.0] * 3, abs=0.003)


def test_windows_of_one_name_are_one_phase_per_call() -> None:
    """Their joules add up, their uncertainties as independent ones, and both are per call of the work."""
    fresh = phased({"train": 30.0}, uncertainty_share=0.01)
    rounds = tuple(replace(one, phases=one.phases * 2, call_count=4) for one in fresh.rounds)
    phase = phase_record(replace(fresh, rounds=rounds), "train")
    energies = Basis().round_energies(phase)
    assert sum(energies.energies_j) / 5 == pytest.approx(15.0)
    assert energies.uncertainties_j == pytest.approx([0.3 * 2**0.5 / 4] * 5)


def test_a_phase_of_a_void_round_is_void() -> None:
    """It stays where it is, so that batches keep their rounds."""
    fresh = phased({"train": 30.0})
    rounds = (*fresh.rounds, reading(channels={}, void_because="another process computed"))
    known, absent = phase_records(replace(fresh, rounds=rounds))
    assert [one.energy_j is None for one in known["train"].rounds] == [False] * 5 + [True]
    assert absent == {}


def test_a_phase_that_is_unknown_raises_with_those_that_are() -> None:
    """A name that no round has can't be a record."""
    with pytest.raises(NotMeasurable, match=r"no phase 'other'. Its phases: train"):
        phase_record(phased({"train": 30.0}), "other")


def test_attempts_at_the_same_code_count_together() -> None:
    """The level of a phase is the mean of theirs, as that of the test is."""
    entries = [entry_of(phased({"train": energy_j}), Basis()) for energy_j in (50.0, 72.0)]
    assert mean_entry(entries).phases["train"].energy.value == pytest.approx(
        ratio_of(sum(one.phases["train"].energy.centre for one in entries) / 2)
    )
