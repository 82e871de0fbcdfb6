"""The fixture's `operators` and `--energy-operators`: rounds of the whole, operators beside them."""

import pytest
import torch._dynamo  # noqa: F401  # a run in this process forgets what it loaded, and this loads only once

from tests.plugin.conftest import Project
from tests.plugin.test_layers import ROUNDS_J, SENSOR

WORK = """
import torch
from torch import nn

module = nn.Linear(4, 8)
optimizer = torch.optim.SGD(module.parameters(), lr=0.1, foreach=True)

def step():
    optimizer.zero_grad()
    loss = module(torch.ones(2, 4)).relu().sum()
    loss.backward()
    optimizer.step()
    return 7

@pytest.mark.energy
def test_work(energy):
    found = energy.operators(step, samples=2)
    print(found)
"""

# Each operator adds its joules to the counter as it runs, so that the truth is known.
LIVE = ("--energy-sensors=steady", "--energy-rounds=2", "--energy-max-time=8")
OPERATORS = """
import torch
from conftest import use

@torch.library.custom_op("pytest_energy_plugin_tests::large", mutates_args=())
def large(x: torch.Tensor) -> torch.Tensor:
    use(3e-3)
    return x + 1

@torch.library.custom_op("pytest_energy_plugin_tests::small", mutates_args=())
def small(x: torch.Tensor) -> torch.Tensor:
    use(1e-3)
    return x + 2

def work():
    return small(large(large(torch.ones(3))))

@pytest.mark.energy
def test_work(energy):
    found = energy.operators(work)
    assert found.notes == ()

@pytest.mark.energy
def test_measure(energy):
    assert energy.measure(work).tolist() == [5.0] * 3
"""


@pytest.fixture
def steady(virtual_project: Project) -> None:
    """A project whose operators have known joules, measured live."""
    virtual_project.write(SENSOR, "conftest.py")
    virtual_project.write(OPERATORS)


@pytest.mark.usefixtures("steady")
def test_live_operators_are_what_they_use(project: Project) -> None:
    """Two of 3 mJ and one of 1 mJ, in windows of their own: 6 and 1 of the 7 mJ of a call."""
    run = project.run(*LIVE, "-k", "not measure")
    run.result.assert_outcomes(passed=1)
    metrics = run.test()["metrics"]
    name = "operator_forward_pytest_energy_plugin_tests"
    assert run.test()["energy_j"] == pytest.approx(7e-3)
    assert metrics[f"{name}_large_energy_j"] == pytest.approx(6e-3)
    assert metrics[f"{name}_small_energy_j"] == pytest.approx(1e-3)


@pytest.mark.usefixtures("steady")
def test_the_option_asks_for_it_wherever_a_function_is_measured(project: Project) -> None:
    """`energy.measure` gives back what the work returned, and the terminal has the operators."""
    run = project.run(*LIVE, "--energy-operators", "-k", "measure")
    run.result.assert_outcomes(passed=1)
    assert "operator_forward_pytest_energy_plugin_tests_large_energy_j" in run.test("test_measure")["metrics"]
    assert "energy: test_work.py::test_measure" in run.text
    assert "pytest_energy_plugin_tests::large" in run.text


@pytest.mark.usefixtures("steady")
def test_without_the_option_nothing_is_replayed(project: Project) -> None:
    """A test has the metrics that it asks for."""
    run = project.run(*LIVE, "-k", "measure")
    assert not any(name.startswith("operator") for name in run.test("test_measure")["metrics"])


def test_a_smaller_piece_stands_in_for_a_long_work(project: Project) -> None:
    """Its operators are held against rounds of its own, and a note says whose they are."""
    work = "    energy.measure(lambda: [step() for _ in range(9)], traced=step)\n"
    project.write(WORK.partition("    found =")[0] + work)
    project.replay({"test_work": [90.0] * 5, "test_work#traced": ROUNDS_J})
    run = project.run("--energy-operators")
    run.result.assert_outcomes(passed=1)
    assert "operator_forward_addmm_energy_j" in run.test()["metrics"]
    assert "the whole: " in run.text
    assert "these are the operators of the smaller piece" in run.text


def test_parts_out_of_a_replay(project: Project) -> None:
    """A replay holds the rounds of an operator under the test's id, its stage and its name."""
    project.write(WORK)
    names = ("forward:aten::addmm", "backward:aten::mm", "optimiser:aten::_foreach_add_")
    parts = {f"test_work#{name}": [2.0] * 5 for name in names}
    project.replay({"test_work": ROUNDS_J, **parts})
    entry = project.run().test()
    assert entry["metrics"]["operator_forward_addmm_energy_j"] == pytest.approx(2.0)
    assert entry["metrics"]["operator_optimiser__foreach_add__duration_s"] == pytest.approx(1.0)
    assert entry["metrics"]["operator_forward_relu_energy_j"] is None
    assert entry["metrics"]["operators_explained_share"] is None
    assert entry["absent"].keys() >= {"operator_forward_relu_energy_j", "operators_explained_share"}


def test_where_nothing_measures_the_test_still_passes(project: Project) -> None:
    """The result has no joules and the reason, and so has the record."""
    project.write(WORK + "    assert found.whole.energy_j is None\n    assert found.parts == ()\n")
    project.replay({"test_other": ROUNDS_J})
    run = project.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "unmeasured"
    assert run.test()["absent"]["operators_explained_share"] == run.test()["unmeasured_because"]


def test_off_measures_nothing(project: Project) -> None:
    """With --energy-off the work runs once, and the result says why it has no joules."""
    project.write(WORK + "    assert '--energy-off' in found.whole.absent_because\n")
    project.run("--energy-off", "--energy-operators").result.assert_outcomes(passed=1)


def test_they_are_no_columns_of_a_group(project: Project) -> None:
    """There are as many names as operators: the rows of a group are models, and not ranked by them."""
    work = WORK.replace("mark.energy", 'mark.energy(group="g", model="m")')
    project.write(work + "    energy.record(own=1.0)\n")
    project.replay({"test_work": ROUNDS_J, "test_work#forward:aten::addmm": [2.0] * 5})
    run = project.run()
    assert run.document is not None
    assert {one["metric"] for one in run.document["correlations"]} == {"own"}
