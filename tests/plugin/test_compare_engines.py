"""`energy.compare`: two engines in turns, the second judged, the first beside it."""

import pytest

from tests.plugin.conftest import Project
from tests.plugin.test_requests import ENGINE

COMPARE = """
order = []

class Named(Engine):
    def __init__(self, name, delta):
        self.name, self.delta = name, delta

    async def generate(self, request):
        order.append(self.name)
        for number in range(request.output_tokens):
            yield TokenEvent(count=1, token_ids=(sum(request.prompt) + number * self.delta,))

@pytest.mark.energy(model="echo", {mark})
def test_work(energy):
    result = energy.compare(
        {{"one": Named("one", 1), "two": Named("two", 2)}},
        lambda index: [[index, 1]],
        rate=float("inf"),
        output_tokens=2,
    )
    assert order[:4] == {order}
    assert result.agreement.by_position.value == 0.5
    assert result.ceiling.same.value == 1
    {check}
"""


def compared(*, mark: str = "", order: str, check: str) -> str:
    engine = ENGINE.format(missing=0).partition("@pytest.mark")[0]
    return engine + COMPARE.format(mark=mark, order=order, check=check)


def test_two_engines_in_turns(project: Project) -> None:
    """A B, then B A: the ratio comes from the pairs, budgets and baselines judge the second engine alone."""
    project.write(
        compared(
            mark="budget_j=9",
            order='["one", "two", "two", "one"]',
            check="assert 0.7 < result.ratio.lower < 0.8 < result.ratio.upper < 0.9",
        )
    )
    project.replay({"test_work": [8.0, 8.1, 8.0, 7.9], "test_work#one": [10.0, 10.0, 10.1, 9.9]})
    run = project.run()
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert entry["verdict"] == "pass"
    assert [one["energy_j"] for one in entry["rounds"]] == [8.0, 8.1, 8.0, 7.9]
    assert entry["work"]["setting"] == "two"
    assert entry["metrics"]["pair_energy_ratio"] == pytest.approx(0.8, rel=0.01)
    assert entry["metrics"]["reference_energy_per_sample"] == pytest.approx(10.0)
    assert entry["metrics"]["position_agreement"] == 0.5
    assert entry["metrics"]["self_answer_agreement"] == 1


def test_without_joules_the_answers_are_compared(project: Project) -> None:
    """Each engine gets one load; there is no ratio, and its reason is in the record."""
    project.write(compared(order='["one", "two", "one", "two"]', check="assert result.ratio is None"))
    project.replay({})
    run = project.run()
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert entry["verdict"] == "unmeasured"
    assert entry["absent"]["pair_energy_ratio"] == entry["unmeasured_because"]


def test_a_replay_without_the_reference_has_no_ratio(project: Project) -> None:
    """The second engine is judged as it is; joules of one side alone are no pair."""
    order = '["one", "two", "two", "one"]'
    project.write(compared(mark="budget_j=7", order=order, check="assert result.ratio is None"))
    project.replay({"test_work": [8.0, 8.1, 8.0]})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    entry = run.test()
    assert entry["verdict"] == "over-budget"
    assert entry["absent"]["pair_energy_ratio"] == "one was not measured"
