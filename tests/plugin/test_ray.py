"""Tests on the nodes of a Ray cluster, which are stood in for by a place whose joules come from a file."""

import pytest

from tests.plugin.conftest import Project, Run

TEST = "test_work.py::test_work"
CONFTEST = """
from contextlib import nullcontext
from pathlib import Path
from pytest_energy.errors import EnergyError
from pytest_energy.meter.clock import SystemClock
from pytest_energy.meter.replay import ReplayMeter
from pytest_energy.model import Machine
from pytest_energy.plugin.place import Place
from pytest_energy.plugin.run import run_of
from pytest_energy.sensors.replay import load_replay

class Nodes:
    has_several_nodes = True
    asked = []

    def check_group(self, group):
        if group != "group":
            raise EnergyError("no placement group")

    def of(self, group=None):
        self.asked.append(group)
        if Path("lost").exists():
            raise EnergyError("Ray's node beta is lost. The placement group needs it.")
        meter = ReplayMeter(load_replay(Path("replay.json")), clock=SystemClock())
        return Place(meter=meter, machine=Machine(key="2-nodes_fake"), is_here=False)

    def pause(self): ...
    def close(self): ...

def pytest_configure(config):
    vars(run_of(config).places)["ray"] = Nodes()
"""


@pytest.fixture
def ray_project(project: Project) -> Project:
    """A project whose test is on two nodes that use 40 J a round together."""
    project.write(CONFTEST, "conftest.py")
    project.replay({"test_work": [40.0, 41.0, 40.0, 41.0, 40.0]})
    project.write("def test_work(energy):\n    energy.measure(lambda: None)\n")
    return project


def run(project: Project, *arguments: str) -> Run:
    """With estimates for this machine, which nothing measures."""
    return project.run("--energy-sensors=estimate", *arguments)


def test_a_record_is_of_the_nodes(ray_project: Project) -> None:
    """Joules, machine and provenance are the nodes', and none of this machine's."""
    test = run(ray_project, "--energy-baseline=add").test()
    assert test["energy_j"] == pytest.approx(40.4)
    assert (test["provenance"], test["verdict"]) == ("replayed", "no-baseline")
    assert [path.parent.parent.name for path in ray_project.path.glob("baselines/*/*/*.json")] == [
        "2-nodes_fake"
    ]


def test_a_test_is_compared_with_the_nodes_baseline(ray_project: Project) -> None:
    """Which machine it is is known only when the test runs; its baseline is read then."""
    run(ray_project, "--energy-baseline=add")
    ray_project.replay({"test_work": [60.0, 61.0, 60.0, 61.0, 60.0]})
    assert run(ray_project).verdict() == "regression"


def test_a_lost_node_leaves_the_test_unmeasured(ray_project: Project) -> None:
    """This machine's joules never stand in for the nodes'; the test's own work runs all the same."""
    (ray_project.path / "lost").touch()
    ray_project.write("def test_work(energy):\n    assert energy.measure(lambda: 7) == 7\n")
    done = run(ray_project)
    done.result.assert_outcomes(passed=1)
    assert done.test()["verdict"] == "unmeasured"
    assert done.test()["unmeasured_because"] == "Ray's node beta is lost. The placement group needs it."
    assert done.test()["rounds"] == []


def test_a_placement_group_is_the_place(ray_project: Project) -> None:
    """It is looked at when the test is about to be measured."""
    ray_project.write(
        "from conftest import Nodes\n\n"
        "def test_work(energy):\n"
        "    energy.ray('group')\n"
        "    assert Nodes.asked == []\n"
        "    energy.measure(lambda: None)\n"
        "    assert Nodes.asked == ['group']\n"
    )
    assert run(ray_project).test()["energy_j"] == pytest.approx(40.4)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("energy.ray('other')", "no placement group"),
        ("energy.measure(lambda: None)\n    energy.ray('group')", "measured in one place"),
        ("with energy.window('w'):\n        energy.ray('group')", "measured in one place"),
    ],
)
def test_a_place_is_chosen_once_and_first(ray_project: Project, body: str, error: str) -> None:
    """What was measured elsewhere can't be one record with it."""
    ray_project.replay({"test_work": [40.0] * 5})
    ray_project.write(f"def test_work(energy):\n    {body}\n")
    done = run(ray_project)
    done.result.assert_outcomes(failed=1)
    assert error in done.text


def test_off_measures_this_machine(ray_project: Project) -> None:
    """The user may want the joules of the driver alone."""
    assert run(ray_project, "--energy-ray=off").test()["provenance"] == "estimated"


def test_on_needs_a_connection(project: Project) -> None:
    """Nothing connects but the test; without it nothing is measured."""
    project.write("def test_work(energy):\n    energy.measure(lambda: None)\n")
    test = project.run("--energy-sensors=estimate", "--energy-ray=on").test()
    assert test["verdict"] == "unmeasured"
    assert "not connected to Ray" in test["unmeasured_because"]
