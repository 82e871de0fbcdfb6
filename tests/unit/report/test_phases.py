from dataclasses import replace

from pytest_energy.judgement import Part
from pytest_energy.model import Phase
from pytest_energy.report.phases import change_text, compared_phase, phase_means, verdict_text
from pytest_energy.verdict.policy import Policy
from tests.builders import baseline, judged, phased, reading, record


def phase(name: str, energy_j: float | None, duration_s: float = 1.0) -> Phase:
    return Phase(
        name=name,
        energy_j=energy_j,
        uncertainty_j=None if energy_j is None else 0.0,
        duration_s=duration_s,
    )


def test_means_over_the_rounds() -> None:
    """Joules, seconds, and the share of all joules."""
    rounds = [
        replace(reading(10.0), phases=(phase("a", 4.0, 1.0), phase("b", 6.0))),
        replace(reading(20.0), phases=(phase("a", 5.0, 2.0), phase("b", 6.0))),
    ]
    first, second = phase_means(record(rounds=rounds))
    assert (first.name, first.energy_j, first.duration_s, first.share) == ("a", 4.5, 1.5, 0.3)
    assert (second.name, second.energy_j) == ("b", 6.0)


def test_one_that_comes_twice_in_a_round_is_summed() -> None:
    """Its joules are those of the round."""
    (mean,) = phase_means(record(rounds=[replace(reading(10.0), phases=(phase("a", 2.0), phase("a", 3.0)))]))
    assert (mean.energy_j, mean.duration_s, mean.share) == (5.0, 2.0, 0.5)


def test_rounds_in_which_its_joules_are_not_known_do_not_count() -> None:
    """Neither in its joules nor in its share; without any it has none, and not 0."""
    known, unknown = phase("a", 4.0), phase("a", None)
    rounds = [replace(reading(10.0), phases=(known,)), replace(reading(99.0), phases=(unknown,))]
    assert [(one.energy_j, one.share) for one in phase_means(record(rounds=rounds))] == [(4.0, 0.4)]
    assert [(one.energy_j, one.share) for one in phase_means(record(rounds=rounds[1:]))] == [(None, None)]


def test_a_record_without_joules_has_none() -> None:
    """What is void shows no parts."""
    void = record(rounds=[replace(reading(10.0), phases=(phase("a", 4.0),))], void_because="thermal")
    assert phase_means(void) == ()


def test_a_round_of_several_calls_is_shared_among_them() -> None:
    """Its phases are the whole window's, its joules those of one call."""
    rounds = [replace(reading(40.0), phases=(phase("a", 10.0, 4.0),)).for_one_of(4)]
    assert [(one.energy_j, one.duration_s, one.share) for one in phase_means(record(rounds=rounds))] == [
        (2.5, 1.0, 0.25)
    ]


def test_a_compared_phase_says_whether_it_has_a_say() -> None:
    """One that is judged has its verdict; of the others only a regression is shown."""
    fresh, stored = phased({"train": 72.0, "serve": 10.0}), baseline(phased({"train": 60.0, "serve": 20.0}))
    shown, judged_too = (
        [verdict_text(one) for one in found.comparison.compared_phases]
        for policy in (Policy(), Policy(phase_baselines=("all",)))
        if (found := judged(fresh, stored, policy=policy)).comparison is not None
    )
    assert shown == ["regression, not judged", ""]
    assert judged_too == ["REGRESSION", "improvement"]


def test_the_change_of_a_phase_has_its_bounds() -> None:
    """And the part that decides, where joules have parts."""
    found = judged(phased({"train": 72.0}), baseline(phased({"train": 60.0}))).comparison
    phase = compared_phase(found, "train")
    assert phase is not None
    assert change_text(phase) == "+20.0 % [+16, +24]"
    assert change_text(replace(phase, part=Part.WORK)).startswith("work +20.0 %")
    assert compared_phase(found, "serve") is compared_phase(None, "train") is None
