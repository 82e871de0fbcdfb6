"""The fixture's `layers`: rounds of the whole pass, parts beside them, and where nothing measures."""

import pytest
import torch._dynamo  # noqa: F401  # a run in this process forgets what it loaded, and this loads only once

from tests.plugin.conftest import Project

WORK = """
import torch
from torch import nn

@pytest.mark.energy
def test_work(energy):
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    found = energy.layers(module, torch.ones(2, 4), samples=2)
    print(found)
"""
ROUNDS_J = [9.9, 10.0, 10.1, 9.95, 10.05]

# Each layer adds its joules to the counter as it runs, so that the truth is known.
SENSOR = """
import time

from torch import nn

from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.usage import Usage
from pytest_energy.sensors.protocol import Facts

JOULES = {"cpu:steady": 0.0}

def use(energy_j):
    JOULES["cpu:steady"] += energy_j
    time.sleep(0.01)  # joules of no time at all are void

class Steady:
    name, provenance = "steady", Provenance.MEASURED
    channels = (
        Channel(name="cpu:steady", domain=Domain.CPU, device="steady", is_ticked=False, resolution_j=1e-9),
    )

    def read_j(self, channel):
        return JOULES[channel]

    def usage(self):
        return Usage()

    def facts(self):
        return Facts(key_parts=("steady",))

    def close(self):
        pass

class Uses(nn.Linear):
    def forward(self, x):
        use(3e-3)
        return super().forward(x)

class UsesLess(nn.ReLU):
    def forward(self, x):
        use(1e-3)
        return super().forward(x)

def pytest_energy_sensors(config):
    return {"steady": Steady}
"""


@pytest.fixture
def steady(virtual_project: Project) -> None:
    """A project whose layers have known joules, measured live."""
    virtual_project.write(SENSOR, "conftest.py")


@pytest.mark.usefixtures("steady")
def test_live_parts_are_what_their_layers_use(project: Project) -> None:
    """Two layers of 3 mJ and one of 1 mJ, in windows of their own: 6 and 1 of the 7 mJ of a pass."""
    project.write(
        WORK.replace(
            "nn.Linear(4, 8), nn.ReLU()", "Uses(512, 512), UsesLess(), nn.Sequential(Uses(512, 512))"
        )
        .replace("torch.ones(2, 4)", "torch.ones(2, 512)")
        .replace("import torch\n", "import torch\nfrom conftest import Uses, UsesLess\n")
    )
    run = project.run("--energy-sensors=steady", "--energy-rounds=3")
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert entry["energy_j"] == pytest.approx(7e-3)
    assert entry["metrics"]["layer_linear_energy_j"] == pytest.approx(6e-3)
    assert entry["metrics"]["layer_activation_energy_j"] == pytest.approx(1e-3)
    assert entry["metrics"]["layers_explained_share"] == pytest.approx(1.0)
    assert entry["provenance"] == "measured"


def test_the_whole_pass_is_the_tests(project: Project) -> None:
    """The rounds are those of the whole pass; the types' figures are metrics, each from its own rounds."""
    project.write(WORK)
    project.replay({"test_work": ROUNDS_J, "test_work#linear": [7.0] * 5, "test_work#activation": [2.0] * 5})
    run = project.run()
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert [one["energy_j"] for one in entry["rounds"]] == ROUNDS_J
    assert entry["samples"] == 2
    assert entry["metrics"]["layer_linear_energy_j"] == pytest.approx(7.0)
    assert entry["metrics"]["layer_activation_energy_j"] == pytest.approx(2.0)
    assert entry["metrics"]["layer_linear_duration_s"] == pytest.approx(1.0)
    assert entry["metrics"]["layers_explained_share"] == pytest.approx(0.9)


STEP = """
import torch
from torch import nn

@pytest.mark.energy
def test_work(energy):
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    before = module[0].weight.tolist()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    found = energy.layers(
        module, torch.ones(2, 4), samples=2, loss=lambda output: output.sum(), optimizer=optimizer
    )
    assert module[0].weight.tolist() == before
    assert module[0].weight.grad is None
"""


def test_a_training_step_is_the_tests(project: Project) -> None:
    """The rounds are those of the step; types forward and backward and the optimiser are metrics."""
    project.write(STEP)
    forward = {f"test_work#forward:{name}": [2.0] * 5 for name in ("linear", "activation", "between")}
    backward = {f"test_work#backward:{name}": [1.0] * 5 for name in ("linear", "activation")}
    project.replay({"test_work": ROUNDS_J, **forward, **backward, "test_work#optimiser:between": [0.5] * 5})
    run = project.run()
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert [one["energy_j"] for one in entry["rounds"]] == ROUNDS_J
    assert entry["samples"] == 2
    assert entry["metrics"]["layer_linear_backward_energy_j"] == pytest.approx(1.0)
    assert entry["metrics"]["layer_optimiser_energy_j"] == pytest.approx(0.5)
    assert entry["metrics"]["layers_explained_share"] == pytest.approx(0.85)


def test_a_training_step_that_nothing_measures_runs_once(project: Project) -> None:
    """With --energy-off the model is as it was as well."""
    project.write(STEP + "    assert '--energy-off' in found.whole.absent_because\n")
    project.run("--energy-off").result.assert_outcomes(passed=1)


def test_parts_that_a_replay_does_not_hold_are_absent(project: Project) -> None:
    """The file's rounds of the whole pass aren't used up for a part: it is absent and says why."""
    project.write(WORK)
    project.replay({"test_work": ROUNDS_J})
    entry = project.run().test()
    assert entry["metrics"]["layer_linear_energy_j"] is None
    assert entry["metrics"]["layers_explained_share"] is None
    assert entry["absent"].keys() >= {"layer_linear_energy_j", "layers_explained_share"}


def test_where_nothing_measures_the_test_still_passes(project: Project) -> None:
    """The result has no joules and the reason, and so has the record."""
    project.write(
        WORK + "    assert found.whole.energy_j is None\n    assert found.explained_share is None\n"
    )
    project.replay({"test_other": ROUNDS_J})
    run = project.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "unmeasured"
    assert run.test()["absent"]["layer_linear_energy_j"] == run.test()["unmeasured_because"]


def test_off_measures_nothing(project: Project) -> None:
    """With --energy-off the pass runs, and the result says why it has no joules."""
    project.write(WORK + "    assert '--energy-off' in found.whole.absent_because\n")
    project.run("--energy-off").result.assert_outcomes(passed=1)


def test_inside_a_window_is_an_error(project: Project) -> None:
    """Its windows would be part of the other."""
    body = WORK.replace("    found =", "    with energy.window('w'):\n        found =")
    project.write(body)
    project.replay({"test_work": ROUNDS_J})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert "energy.layers opens windows of its own and can't be called inside one" in run.text


def test_beside_measured_rounds_is_an_error(project: Project) -> None:
    """A test has one kind of rounds."""
    project.write(WORK.replace("    found =", "    energy.measure(lambda: None)\n    found ="))
    project.replay({"test_work": ROUNDS_J})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert "a test can be measured once" in run.text


def test_a_wrong_shape_is_told(project: Project) -> None:
    """The error names the layer and the shapes."""
    project.write(WORK.replace("torch.ones(2, 4)", "torch.ones(2, 5)"))
    project.replay({"test_work": ROUNDS_J})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert "layer '0' (Linear) of Sequential can't take [2, 5]" in run.text
