"""Predicted joules in a run of pytest, on a machine without the card."""

import json
from pathlib import Path

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.prediction import calibrated
from pytest_energy.prediction.calibration_file import write
from tests.builders import KEY
from tests.fakes.networks import observations

# Imported here: a run in this process would import it anew, which it refuses.
pytest.importorskip("torch")

TEST = """
def test_work(energy):
    energy.measure(lambda: sum(range(1000)))
"""

CONVOLUTIONS = """
import pytest
import torch

@pytest.mark.energy(rounds=1, warmup=0)
def test_work(energy):
    images, weights = torch.ones(64, 16, 64, 64), torch.ones(16, 16, 3, 3)
    energy.measure(lambda: torch.nn.functional.conv2d(images, weights))
"""


@pytest.fixture
def calibration_file(pytester: pytest.Pytester) -> Path:
    store = Store(pytester.path / "baselines")
    write(
        store,
        calibrated(observations(9, scatter=0.1), machine_key=KEY, created="2026-11-20T10:00:00Z"),
    )
    pytester.makepyfile(TEST)
    return store.calibration_path(KEY)


def test_a_broken_calibration_stops_the_run_before_the_work(
    pytester: pytest.Pytester, calibration_file: Path
) -> None:
    """With its place and value: it is never taken for none."""
    text = calibration_file.read_text(encoding="ascii").replace('"format": 1', '"format": 2')
    calibration_file.write_text(text, encoding="ascii")
    result = pytester.runpytest("--energy-sensors=estimate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*{calibration_file.name}: format is 2, and this pytest-energy supports 1*"]
    )


def _test(pytester: pytest.Pytester, *options: str) -> dict[str, object]:
    pytester.runpytest("--energy-sensors=estimate", "--energy-out=run.json", *options)
    (test,) = json.loads((pytester.path / "run.json").read_text(encoding="utf-8"))["tests"]
    assert isinstance(test, dict)
    return test


@pytest.mark.usefixtures("calibration_file")
def test_a_counted_test_has_joules_of_the_card(pytester: pytest.Pytester) -> None:
    """Convolutions that are counted on a CPU are predicted on the card, beside the CPU's estimate."""
    pytester.makepyfile(CONVOLUTIONS)
    test = _test(pytester)
    predictions = test["predictions"]
    assert isinstance(predictions, dict)
    low_j, high_j = predictions[KEY]["interval_j"]
    assert 0 < low_j < predictions[KEY]["energy_j"] < high_j
    assert test["verdict"] == "unmeasured"
    assert test["provenance"] == "estimated"


@pytest.mark.usefixtures("calibration_file")
def test_counts_without_operators_are_not_predicted(pytester: pytest.Pytester) -> None:
    """Functions of Python say nothing of a GPU: no prediction, and the reason by the machine's name."""
    test = _test(pytester)
    assert "predictions" not in test
    absent = test["absent"]
    assert isinstance(absent, dict)
    assert "counted no operators" in absent[f"predicted on {KEY}"]


@pytest.mark.usefixtures("calibration_file")
def test_what_is_not_counted_is_not_predicted(pytester: pytest.Pytester) -> None:
    """With traces off there are neither counts nor predictions."""
    pytester.makepyfile(CONVOLUTIONS)
    test = _test(pytester, "--energy-trace=off")
    assert "predictions" not in test
