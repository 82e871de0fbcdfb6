"""Calibrations as files."""

import json
from collections.abc import Iterable, Iterator
from functools import reduce
from pathlib import Path

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.errors import BaselineError
from pytest_energy.model import Prediction
from pytest_energy.prediction import Calibration, calibrated
from pytest_energy.prediction.calibration_file import from_json_text, load_all, to_json_text, write
from tests.builders import KEY, TEST_ID, record
from tests.fakes.networks import observations


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrated(
        observations(9, scatter=0.1),
        machine_key=KEY,
        created="2026-11-20T10:00:00Z",
        facts={"torch": "2.11.0"},
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "baselines")


def test_a_calibration_comes_back_as_it_was(calibration: Calibration, store: Store) -> None:
    """Written, and read with all others of the folder; every number to the last digit."""
    path = write(store, calibration)
    assert path == store.folder / KEY / "calibration.json"
    assert load_all(store) == (calibration,)


def test_a_folder_without_any_has_none(store: Store) -> None:
    """Neither an absent folder nor one with baselines only."""
    assert load_all(store) == ()
    store.write(KEY, TEST_ID, [record()], "add")
    assert load_all(store) == ()


def test_a_calibration_is_no_baseline(calibration: Calibration, store: Store) -> None:
    """Who lists the baselines doesn't meet it."""
    store.write(KEY, TEST_ID, [record()], "add")
    write(store, calibration)
    assert store.paths() == (store.path(KEY, TEST_ID),)


@pytest.mark.parametrize(
    ("path", "value", "because"),
    [
        (("format",), 2, "format is 2, and this pytest-energy supports 1"),
        (("ready_power_w",), -3.0, "ready_power_w is -3.0"),
        (("host_s", "operators"), "much", "host_s: operators is 'much'"),
        (("ranges", "bytes"), [2.0, 1.0], r"ranges: bytes is \[2.0, 1.0\]"),
        (("held_out",), [], "held_out has 0 tests"),
        (("active_j", "bfloat16 flops"), 1e-12, "ranges lacks 'bfloat16 flops'"),
        (("held_out", 2, "energy_j"), 0.0, r"held_out\[2\]: energy_j is 0.0, not above 0"),
        (("held_out", 1, "predicted_j"), -1.0, r"held_out\[1\]: predicted_j is -1.0, below 0"),
        (("ranges", "bytes"), [0.0, 1.0], r"ranges: bytes is \[0.0, 1.0\]"),
        (("machine_key",), 7, "machine_key is 7"),
    ],
)
def test_a_broken_file_is_refused_with_place_and_value(
    calibration: Calibration, path: tuple[str | int, ...], value: object, because: str
) -> None:
    """Wrong kinds and values that can't be, a newer format; and what to do about it."""
    document = json.loads(to_json_text(calibration))
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(BaselineError, match=f"x.json: .*{because}") as caught:
        from_json_text(json.dumps(document), "x.json")
    assert "pytest-energy calibrate" in str(caught.value)


_ODD: tuple[object, ...] = (None, "x", -1.0, 0, 1e29, 1e300, 1e-29, [], {}, True)


def _places(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of each value in *value*."""
    items: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*place, key)
        yield from _places(item, (*place, key))


def test_whatever_stands_in_a_file_it_predicts_or_says_why_not(calibration: Calibration) -> None:
    """Each value in turn put as another: the file is refused by name, or what it predicts can be written."""
    text = to_json_text(calibration)
    features = observations(1)[1].features
    refused: list[str] = []
    for path in list(_places(json.loads(text))):
        for value in _ODD:
            document = json.loads(text)
            reduce(lambda part, key: part[key], path[:-1], document)[path[-1]] = value
            try:
                changed = from_json_text(json.dumps(document), "x.json")
            except BaselineError as error:
                refused.append(str(error))
                continue
            result = changed.predict(features)
            if isinstance(result, Prediction):
                assert result.interval_j[1] < 1e30
    assert len(refused) > 500
    assert all(text.startswith("x.json: ") for text in refused)


def test_half_a_file_is_refused(calibration: Calibration, store: Store) -> None:
    """By its path: it is no absent calibration."""
    write(store, calibration)
    path = store.calibration_path(KEY)
    path.write_text(path.read_text(encoding="ascii")[:300], encoding="ascii")
    with pytest.raises(BaselineError, match=r"calibration\.json"):
        load_all(store)


def test_another_machines_file_is_refused(calibration: Calibration, store: Store) -> None:
    """What was copied into another machine's folder would predict the wrong card."""
    write(store, calibration)
    path = store.calibration_path(KEY)
    other = store.calibration_path("a100_nvml")
    other.parent.mkdir()
    path.rename(other)
    with pytest.raises(BaselineError, match=f"is the calibration of '{KEY}'"):
        load_all(store)


def test_the_calibration_of_the_benchmarks_is_sound() -> None:
    """That of an H100, beside the baselines of this project, loads and predicts a step of ResNet-18."""
    (calibration,) = load_all(Store(Path(__file__).parents[3] / "baselines"))
    assert calibration.machine_key == "h100-80gb-hbm3_xeon_nvml"
    assert len(calibration.held_out) == 36
    features = {
        "backward bytes": 9.593e8,
        "backward nodes": 133,
        "bytes": 1.555e9,
        "calls": 229,
        "operators": 96,
        "tf32 flops": 4.26e11,
    }
    prediction = calibration.predict(features)
    assert isinstance(prediction, Prediction)
    assert prediction.interval_j[0] < 3.86 < prediction.interval_j[1]  # docs/results/h100-cnn.json
