"""`pytest-energy calibrate`: what it writes, what it says, and what it refuses."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.prediction.calibration_file import load_all
from tests.builders import KEY, LAPTOP, judgement
from tests.fakes.networks import network_records
from tests.unit.cli.conftest import Cli, written


def _judged(records: Sequence[Record]) -> list[Judgement]:
    return [replace(judgement(), record=one) for one in records]


@pytest.fixture
def run_json(tmp_path: Path) -> Path:
    return written(tmp_path / "run.json", *_judged(network_records(9)))


def test_a_calibration_is_written_and_its_error_said(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """0; beside the baselines, with the median error of models that were left out first."""
    folder = tmp_path / "baselines"
    status, out, err = cli("calibrate", run_json, "--baselines", folder)
    assert (status, err) == (0, "")
    (calibration,) = load_all(Store(folder))
    assert calibration.machine_key == KEY
    assert len(calibration.held_out) == 18
    lines = out.splitlines()
    assert lines[0] == f"{KEY}: 18 tests of 9 models"
    assert lines[1].startswith(f"  {100 * calibration.error_share:.3g} % median error for")
    assert lines[-1] == f"written to {folder / KEY / 'calibration.json'}"


def test_several_runs_are_fitted_together(cli: Cli, tmp_path: Path) -> None:
    """Five models in one file and four in another make a calibration; each alone is refused."""
    records = network_records(9)
    paths = [
        written(tmp_path / "one.json", *_judged(records[:10])),
        written(tmp_path / "two.json", *_judged(records[10:])),
    ]
    folder = tmp_path / "baselines"
    status, _, err = cli("calibrate", paths[0], "--baselines", folder)
    assert status == 2
    assert "10 tests of 5 models; a calibration needs at least 10 tests of 8 models" in err
    assert not folder.exists()
    assert cli("calibrate", *paths, "--baselines", folder).status == 0
    assert len(load_all(Store(folder))[0].held_out) == 18


def test_what_cannot_be_used_is_named(cli: Cli, tmp_path: Path) -> None:
    """A test without counts is left out with its reason, and the others make the calibration."""
    records = network_records(9)
    bare = replace(records[0], test_id="t.py::test_bare", counts=None, absent={"counts": "tracing is off"})
    path = written(tmp_path / "run.json", *_judged([*records, bare]))
    status, out, _ = cli("calibrate", path, "--baselines", tmp_path / "baselines")
    assert status == 0
    assert out.splitlines()[0] == "t.py::test_bare is left out: tracing is off"


def test_a_run_without_counts_is_refused(cli: Cli, tmp_path: Path) -> None:
    """2, with what to do."""
    path = written(tmp_path / "run.json", judgement())
    status, _, err = cli("calibrate", path, "--baselines", tmp_path / "baselines")
    assert status == 2
    assert "no test has measured joules and counts; run them on the card" in err


def test_estimates_calibrate_nothing(cli: Cli, tmp_path: Path) -> None:
    """Joules of a laptop's processor time are no measurement of a card."""
    rounds = (
        Reading(
            channels={"cpu:processes": 10.0},
            duration_s=1.0,
            uncertainty_j=0.0,
            provenance=Provenance.ESTIMATED,
        ),
    )
    records = [
        replace(one, provenance=Provenance.ESTIMATED, rounds=rounds, machine=LAPTOP)
        for one in network_records(9)
    ]
    path = written(tmp_path / "run.json", *_judged(records))
    status, out, err = cli("calibrate", path, "--baselines", tmp_path / "baselines")
    assert status == 2
    assert "its joules are estimated, not measured" in out
    assert "no test has measured joules" in err


def test_a_calibration_is_validated_with_the_baselines(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """A sound one is a file more, a broken one 2 with its place."""
    folder = tmp_path / "baselines"
    cli("calibrate", run_json, "--baselines", folder)
    status, out, _ = cli("baselines", "validate", "--baselines", folder)
    assert (status, out) == (0, f"1 file in {folder}: all valid\n")
    path = folder / KEY / "calibration.json"
    path.write_text(path.read_text("ascii").replace('"ready_power_w": 1', '"ready_power_w": -1'), "ascii")
    status, out, err = cli("baselines", "validate", "--baselines", folder)
    assert status == 2
    assert "ready_power_w is -1" in out + err
    assert f"1 file in {folder}: 1 problem" in out
