from dataclasses import replace

from pytest_energy.model import Phase
from pytest_energy.report.phases import phase_means
from tests.builders import reading, record


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
