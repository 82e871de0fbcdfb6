"""Sensors of other plugins: the example of docs/sensors.md, run as it stands there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.meter import live
from tests.plugin.conftest import Project, Run

DOCS = Path(__file__).parents[2] / "docs" / "sensors.md"
# Rounds of a length that is real: joules of no time at all are void.
WORK = """
import time
from conftest import COUNTER

@pytest.mark.energy
def test_work(energy):
    for _ in range(3):
        with energy.window("work"):
            time.sleep(0.05)
            COUNTER.write_text(str(int(COUNTER.read_text()) + 10_000_000))
"""


@pytest.fixture
def counter(virtual_project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The board's counter, in a project whose conftest is the documentation's."""
    example = re.search(r"```python\n(# conftest\.py\n.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    (virtual_project.path / "conftest.py").write_text(example[1], encoding="utf-8")
    path = virtual_project.path / "energy1_input"
    path.write_text("123000000")
    monkeypatch.setenv("BOARD_COUNTER", str(path))
    virtual_project.write(WORK)
    return path


def sensors(run: Run) -> dict[str, dict[str, Any]]:
    assert run.document is not None, run.text
    return {sensor["name"]: sensor for sensor in run.document["sensors"]}


@pytest.mark.usefixtures("counter")
def test_a_sensor_of_ones_own_measures(project: Project) -> None:
    """Named in --energy-sensors it is the only one, and its joules are measured ones, exactly."""
    run = project.run("--energy-sensors=board")
    run.result.assert_outcomes(passed=1)
    test = run.test()
    assert test["provenance"] == "measured"
    assert test["verdict"] == "no-baseline", test["reason"]
    assert [one["channels"] for one in test["rounds"]] == 3 * [{"cpu:board": pytest.approx(10.0)}]
    assert test["energy_j"] == pytest.approx(10.0)
    assert set(sensors(run)) == {"board"}
    assert sensors(run)["board"]["channels"] == ["cpu:board"]
    assert run.document is not None
    assert run.document["machine"]["key"].endswith("_board")


@pytest.mark.usefixtures("counter")
def test_its_power_without_work_is_asked_for_at_the_end(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that measured asks its meter for what has changed, and says it."""
    monkeypatch.setattr(live.LiveMeter, "drift_notes", lambda _: ("cpu:board: it drifted",))
    run = project.run("--energy-sensors=board")
    assert "energy: note: cpu:board: it drifted" in run.text


@pytest.mark.usefixtures("counter")
def test_its_joules_gate(project: Project) -> None:
    """A measured sensor of one's own may fail a test, as any that measures."""
    project.write(
        WORK.replace("mark.energy", "mark.energy(budget_j=5.0, server=True)")
    )  # however busy the machine
    run = project.run("--energy-sensors=board")
    assert run.verdict() == "over-budget", run.test()["reason"]
    run.result.assert_outcomes(failed=1)
    assert run.verdict() == "over-budget"


def test_one_that_is_absent_says_why(project: Project, counter: Path) -> None:
    """A sensor that can't be opened leaves the test unmeasured with its reason; nothing takes its place."""
    counter.unlink()
    project.write("@pytest.mark.energy\ndef test_work():\n    pass\n")
    run = project.run("--energy-sensors=board")
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "unmeasured"
    assert run.test()["energy_j"] is None
    because = str(sensors(run)["board"]["absent_because"])
    assert because == f"{counter} can't be read: No such file or directory"


@pytest.mark.usefixtures("counter")
def test_a_fault_makes_the_test_void(project: Project) -> None:
    """A counter that falls in the middle gives no joules: the verdict is void, with the sensor's words."""
    project.write(WORK.replace("+ 10_000_000", "- 10_000_000"))
    run = project.run("--energy-sensors=board")
    assert run.verdict() == "void"
    assert run.test()["void_because"].startswith("cpu:board: ")
    assert run.test()["void_because"].endswith(" fell from 123000000 to 113000000")
    assert run.test()["energy_j"] is None


@pytest.mark.usefixtures("counter")
def test_its_name_is_known(project: Project) -> None:
    """A misspelt sensor stops the run with the names there are, one's own among them."""
    run = project.run("--energy-sensors=bord")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "no sensor is named bord. Did you mean board? It can be auto, nvml" in run.text


@pytest.mark.usefixtures("counter")
def test_it_may_not_take_the_name_of_another(project: Project) -> None:
    """A sensor named like one of this package's is refused: no number under a false name."""
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace('{"board": BoardSensor}', '{"rapl": BoardSensor}'))
    run = project.run("--energy-sensors=auto")
    assert "a plugin offers a sensor named rapl, which this package has; rename it" in run.text
    assert not run.document or json.dumps(run.document["tests"]) == "[]"


@pytest.mark.usefixtures("counter")
@pytest.mark.parametrize(
    ("value", "because"),
    [
        ("None", "the sensor board gave None"),
        ("'12'", "the sensor board gave '12'"),
        ("1e308", "the sensor board gave 1e+308"),
    ],
)
def test_an_odd_value_of_it_voids_and_the_report_is_there(project: Project, value: str, because: str) -> None:
    """What it gives may be anything: the test's joules are void, and named so in the run's JSON."""
    source = (project.path / "conftest.py").read_text(encoding="utf-8")
    odd = re.sub(r"(def read_j\(.*:\n)", rf"\1        return {value}\n", source)
    assert odd != source
    (project.path / "conftest.py").write_text(odd, encoding="utf-8")
    test = project.run("--energy-sensors=board").test()
    assert test["verdict"] == "void"
    assert because in test["reason"]


@pytest.mark.usefixtures("counter")
def test_one_that_can_not_be_closed_spoils_nothing(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it measured stands, and its error is told in one line."""
    source = (project.path / "conftest.py").read_text(encoding="utf-8")
    odd = re.sub(r"(def close\(.*:\n)", r"\1        raise OSError('the port is gone')\n", source)
    assert odd != source
    (project.path / "conftest.py").write_text(odd, encoding="utf-8")
    run = project.run("--energy-sensors=board")
    assert run.result.ret == 0
    assert run.test()["energy_j"] == pytest.approx(10.0)
    assert "energy: closing the sensor board failed: OSError: the port is gone" in capsys.readouterr().err
