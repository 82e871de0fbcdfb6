"""`energy.compare`: two policies in turns under a load that changes."""

import pytest

from tests.plugin.conftest import Project

SOURCE = """
from pytest_energy import ChangingLoad, FixedBatch, Slo

order = []

def policy(name, wrong=()):
    def answer(items):
        order.append(name)
        return [-1 if item in wrong else item for item in items]
    return FixedBatch(answer=answer, size=99, timeout_s=0.02)

ITEMS = list(range(50))

@pytest.mark.energy(model="echo", group="policies")
def test_work(energy):
    load = ChangingLoad(
        items=ITEMS, labels=ITEMS, stages=[(1000, 0.05), (0, 0.01)], slo=Slo(e2e_s={limit}, least_share=0.5),
        accuracy_loss=0.1,
    )
    result = energy.compare({{"one": policy("one"), "two": policy("two", wrong=range({wrong}))}}, load)
    {check}
"""
JOULES = {"test_work": [8.0, 8.1, 8.0, 7.9], "test_work#one": [10.0, 10.0, 10.1, 9.9]}


def written(project: Project, *, check: str, wrong: int = 0, limit: float = 9.0) -> None:
    project.write(SOURCE.format(check=check, wrong=wrong, limit=limit))
    project.replay(JOULES)


def test_a_cheaper_policy_at_equal_limits(project: Project) -> None:
    """The ratio of the whole load's joules, from rounds in turns; the record is the second policy's."""
    written(project, check='assert result.verdict == "cheaper"')
    run = project.run("--energy-report")
    run.result.assert_outcomes(passed=1)
    metrics = run.test()["metrics"]
    assert metrics["pair_energy_ratio"] == pytest.approx(0.8, rel=0.01)
    assert metrics["energy_per_sample"] == pytest.approx(8.0 / 50)
    assert metrics["reference_energy_per_sample"] == pytest.approx(10.0 / 50)
    assert (metrics["quality"], metrics["quality_change"], metrics["slo_share"]) == (1, 0, 1)
    assert run.test()["work"]["reference"] == "one"
    assert "replayed energy per request" in run.text
    assert "quality 1 (one 1)" in run.text


def test_a_policy_that_answers_worse_is_never_cheaper(project: Project) -> None:
    """It uses fewer joules, and is not compared: the limit that it missed is in the record."""
    written(project, wrong=25, check='assert (result.verdict, result.ratio) == ("not compared", None)')
    run = project.run()
    run.result.assert_outcomes(passed=1)
    assert run.test()["absent"]["pair_energy_ratio"].startswith(
        "two may not keep the accuracy: -50.00 points"
    )


def test_a_late_policy_fails_its_test(project: Project) -> None:
    """As a late engine does: the limit that the test sets is exceeded."""
    written(project, limit=1e-6, check='assert result.verdict == "not compared"')
    run = project.run()
    run.result.assert_outcomes(failed=1)
    entry = run.test()
    assert entry["verdict"] == "over-budget"
    assert entry["absent"]["pair_energy_ratio"].startswith("one did not keep the latency limit: 0 %")


def test_what_is_no_policy_is_named(project: Project) -> None:
    """Its name, what it is, and the methods that it needs; engines need a rate."""
    project.write(
        "from pytest_energy import ChangingLoad\n"
        "def test_work(energy):\n"
        "    energy.compare({'a': 1, 'b': 2}, ChangingLoad(items=[1], stages=[(1, 1.0)]))\n"
        "def test_engines(energy):\n"
        "    energy.compare({'a': 1, 'b': 2}, [[1]])\n"
    )
    run = project.run()
    run.result.assert_outcomes(failed=2)
    assert "it must have the methods batch(waiting, waited_s) and serve(items)" in run.text.replace("\n", " ")
    assert "energy.compare needs rate=" in run.text
