"""`pytest-energy doctor`: its text, its JSON and its status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_energy.baselines import folder_lock
from pytest_energy.cli import doctor
from pytest_energy.doctor import Report
from pytest_energy.doctor.calibrate import MeasuredResponse
from pytest_energy.meter.lag import Lag
from pytest_energy.model import CounterResponse
from pytest_energy.sensors.kept_responses import FILE_VARIABLE, kept_response
from tests.unit.cli.conftest import Cli


def report(*gates: str) -> Report:
    return Report(
        machine_key="h100_nvml",
        sensors=(),
        permissions=(),
        gates=gates,
        gates_not={"dram": "no channel here"},
    )


@pytest.mark.parametrize(("gates", "expected"), [(("gpu:0",), 0), ((), 1)])
def test_doctor_ends_with_1_where_nothing_measures(
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
    gates: tuple[str, ...],
    expected: int,
) -> None:
    """The status says whether anything measures; the text says it too."""
    monkeypatch.setattr(doctor, "diagnose", lambda: report(*gates))
    status, out, err = cli("doctor")
    assert status == expected
    assert out.startswith("This machine measures" if gates else "Nothing measures here")
    assert not err


@pytest.mark.parametrize(("gates", "expected"), [(("gpu:0",), 0), ((), 1)])
def test_doctor_speaks_json(
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
    gates: tuple[str, ...],
    expected: int,
) -> None:
    """With --json the output is one document, and the status is the same."""
    monkeypatch.setattr(doctor, "diagnose", lambda: report(*gates))
    status, out, _ = cli("doctor", "--json")
    assert status == expected
    document = json.loads(out)
    assert document["measures"] is bool(gates)
    assert document["gates"] == list(gates)


def test_doctor_of_an_agent_that_is_not_there(cli: Cli) -> None:
    """The error names the address and the remedy; the status is that of a command that can't run."""
    status, out, err = cli("doctor", "--meter", "http://127.0.0.1:9")
    assert (status, out) == (2, "")
    assert "http://127.0.0.1:9: connection refused; is `pytest-energy agent` running there?" in err


RESPONSE = CounterResponse(settle_s=0.05, source="measured here")
MEASURED = MeasuredResponse(
    channel="gpu:0", response=RESPONSE, lag=Lag(settle_s=0.05, left_s=1e-4), bursts=()
)


class OneGpu:
    """A sensor of one GPU, as far as the command asks."""

    driver = "580.1"

    def close(self) -> None:
        """Nothing was opened."""


@pytest.mark.parametrize("found", [[("A", MEASURED)], []])
def test_calibration_is_kept(
    monkeypatch: pytest.MonkeyPatch, cli: Cli, tmp_path: Path, found: list[tuple[str, MeasuredResponse]]
) -> None:
    """What was found is in the file that the variable names; nothing found is status 1 and no file."""
    path = tmp_path / "responses.json"
    monkeypatch.setenv(FILE_VARIABLE, str(path))
    monkeypatch.setattr(doctor, "NvmlSensor", OneGpu)
    monkeypatch.setattr(doctor, "calibrate_models", lambda *_: found)
    status, out, err = cli("doctor", "--calibrate")
    assert (status, err) == (0 if found else 1, "")
    assert kept_response("A", "580.9", path) == (RESPONSE if found else None)
    assert (str(path) in out) is bool(found)
    assert ("has all joules" in out) is bool(found)


def test_calibration_refuses_a_place_before_the_work(
    monkeypatch: pytest.MonkeyPatch, cli: Cli, tmp_path: Path
) -> None:
    """Two minutes of bursts aren't made for nothing."""
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path))
    status, out, err = cli("doctor", "--calibrate")
    assert (status, out) == (2, "")
    assert "can't be written" in err


KEEP = """
import sys
from pathlib import Path
from pytest_energy.cli.doctor import _keep
from pytest_energy.model import CounterResponse
sys.stdin.read(1)
for number in range(5):
    _keep(CounterResponse(settle_s=0.05), f"{sys.argv[1]}-{number}", "580.1", Path(sys.argv[2]))
"""


def test_processes_that_keep_responses_at_once_lose_none(tmp_path: Path) -> None:
    """Each adds to the file of all: the last writer doesn't put its own view in place of the others'."""
    path, names = tmp_path / "new" / "responses.json", ("a", "b", "c", "d")
    writers = [
        subprocess.Popen([sys.executable, "-c", KEEP, name, str(path)], stdin=subprocess.PIPE)  # noqa: S603
        for name in names
    ]
    for writer in writers:
        writer.communicate(b"g")
    assert [writer.returncode for writer in writers] == [0] * len(names)
    kept = [kept_response(f"{name}-{number}", "580.1", path) for name in names for number in range(5)]
    assert None not in kept


def test_a_response_is_kept_where_folders_cant_be_locked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Some network file systems have no locks; minutes of measuring aren't lost for it."""
    monkeypatch.setattr(folder_lock, "HAS_FLOCK", False)
    doctor._keep(RESPONSE, "A", "580.1", tmp_path / "responses.json")
    assert kept_response("A", "580.1", tmp_path / "responses.json") == RESPONSE
