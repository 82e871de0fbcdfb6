"""`energy.sweep`: the best setting, how far the default is from it, and the verdict on that."""

import pytest

from tests.plugin.conftest import Project

SOURCE = """
class OutOfMemoryError(RuntimeError):
    pass

seen = []

def work(value):
    seen.append(value)
    if value == 64:
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB.")

@pytest.mark.energy(rounds=5, model="net")
def test_work(energy):
    point = energy.sweep({values}, work, default={default}, samples=lambda value: value{more})
    {check}
"""
STEADY = (0.999, 1.0, 1.001, 0.9995, 1.0005)


def written(
    project: Project, *, default: int, values: str = "[4, 8, 16]", more: str = "", check: str = "pass"
) -> None:
    """4 samples for 8 J, 8 for 8 J, 16 for 20 J: 2, 1 and 1.25 J per sample."""
    project.write(SOURCE.format(values=values, default=default, more=more, check=check))
    energies_j = {"4": 8.0, "8": 8.0, "16": 20.0, "64": 9.0}
    own = energies_j.pop(str(default))
    tests = {"test_work": [own * one for one in STEADY]}
    tests |= {f"test_work#{name}": [value * one for one in STEADY] for name, value in energies_j.items()}
    project.replay(tests)


def test_the_best_setting_is_found(project: Project) -> None:
    """Fewest joules per sample; the record is the default's, and has each setting beside it."""
    written(project, default=16, check="assert point.best.name == '8' and point.may_be_best == ('8',)")
    run = project.run()
    run.result.assert_outcomes(passed=1)
    entry, metrics = run.test(), run.test()["metrics"]
    assert entry["energy_j"] == pytest.approx(20.0)
    assert entry["samples"] == 16
    assert metrics["sweep_at_8_energy_per_sample"] == pytest.approx(1.0)
    assert metrics["sweep_at_4_energy_per_sample"] == pytest.approx(2.0)
    assert metrics["sweep_excess"] == pytest.approx(1.25)
    assert metrics["sweep_excess_lower"] < 1.25 < metrics["sweep_excess_upper"]
    assert entry["tuning"]["sweep_values"] == "4, 8, 16"
    assert run.verdict() == "no-baseline"  # without most_excess= a sweep fails nothing


def test_a_default_far_from_the_best_fails(project: Project) -> None:
    """100 % above the best where 10 % is allowed: over the limit, with the number first and what to do."""
    written(project, default=4, more=", most_excess='10%', what='batch size'")
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert run.verdict() == "over-budget"
    assert run.test()["brief"]["headline"].startswith("+100.0 % energy [")
    assert "above the best batch size, 8; allowed 10 %" in run.text
    assert "Change the default to 8, or raise most_excess= in the test." in run.text


@pytest.mark.parametrize(("default", "excess", "verdict"), [(16, 0.5, "pass"), (16, 0.25, "inconclusive")])
def test_what_is_not_clearly_above_passes(
    project: Project, default: int, excess: float, verdict: str
) -> None:
    """25 % above the best: within 50 %; where 25 % is allowed the bounds lie on both sides."""
    written(project, default=default, more=f", most_excess={excess}")
    run = project.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == verdict


def test_a_default_that_is_the_best_passes(project: Project) -> None:
    """Its excess is 1, and nothing is above the best."""
    written(project, default=8, more=", most_excess=0.2", check="assert point.excess.value == 1.0")
    run = project.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "pass"


def test_a_limit_of_latency_leaves_out_what_is_slower(project: Project) -> None:
    """A call takes 1 s in this replay: with a shorter limit nothing is best, and the limit is not checked."""
    written(project, default=4, more=", most_excess=0.1, most_latency_s='900 ms'")
    run = project.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "inconclusive"
    assert run.test()["absent"]["sweep_excess"] == "no setting keeps the latency limit of 0.9 s"
    assert run.test()["metrics"]["sweep_excess"] is None
    written(project, default=4, more=", most_excess=0.1, most_latency_s=1.5")
    assert project.run().verdict() == "over-budget"


def test_a_setting_out_of_memory_has_its_reason(project: Project) -> None:
    """The sweep goes on without it; a default that does not fit has no joules at all."""
    check = "assert [one.name for one in point.candidates] == ['4', '8', '16'], point"
    written(project, default=16, values="[4, 8, 64, 16]", check=check)
    run = project.run()
    run.result.assert_outcomes(passed=1)
    because = run.test()["absent"]["sweep_at_64_energy_per_sample"]
    assert because == "out of memory: CUDA out of memory. Tried to allocate 8 GiB."
    assert run.test()["metrics"]["sweep_at_64_energy_per_sample"] is None


def test_where_nothing_measures_the_default_runs_once(project: Project) -> None:
    """The work is done, and the result has the reason in place of joules."""
    check = "assert seen == [16] and point.best is None and point.excess is None, seen"
    written(project, default=16, more=", most_excess=0.1", check=check)
    project.run("--energy-off").result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("[8], work, default=8", "takes two values or more"),
        ("[8, 16], work, default=4", "default= must be one of 8, 16. Got 4."),
        ("[8, 8], work, default=8", "8 is given twice"),
        ("[8, None], work, default=8", "a value must be a number"),
        ("[8, 'a b'], work, default=8", "a value must be a number"),
        ("[8, 16], work, default=8, most_excess=10", "most_excess must be a share from 0 to 100 %"),
        ("[8, 16], work, default=8, most_latency_s='8 J'", "most_latency_s must be a time above 0"),
        ("[8, 16], 5, default=8", "energy.sweep takes a function"),
        ("[8, 16], work, default=8, samples=0", "samples must be"),
    ],
)
def test_mistakes_are_named(project: Project, call: str, message: str) -> None:
    """The argument, its value and what to write."""
    project.write(f"def work(value):\n    pass\n\ndef test_work(energy):\n    energy.sweep({call})\n")
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert message in run.text
