"""Responses that the user has measured."""

import json
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.model import CounterResponse
from pytest_energy.sensors.kept_responses import FILE_VARIABLE, keep_response, kept_response, responses_path
from pytest_energy.sensors.nvml import NvmlSensor
from tests.fakes.nvml import FakeGpu, FakeNvml

RESPONSE = CounterResponse(settle_s=0.05, edge_s=1e-3, tick_s=0.1, waves=((1e-3, 0.0),), source="here")


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    """By its model and the branch of the driver; a newer one takes its place, and others stay."""
    path = tmp_path / "new" / "responses.json"
    assert kept_response("A", "580.1", path) is None
    keep_response(CounterResponse(settle_s=0.1), model="A", driver="580.1", path=path)
    keep_response(CounterResponse(settle_s=0.2), model="B", driver="580.1", path=path)
    keep_response(RESPONSE, model="A", driver="580.2", path=path)
    assert kept_response("A", "580.159.04", path) == RESPONSE
    assert kept_response("A", "590.1", path) is None
    other = kept_response("B", "580.1", path)
    assert other is not None
    assert other.settle_s == 0.2


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("{", "is not JSON"),
        ('{"responses": [{"model": "A"}]}', "has no 'driver'"),
        ('{"responses": [{"model": "A", "driver": "1", "response": {"settle_s": -1}}]}', "settle_s"),
        ('{"responses": [{"model": "A", "driver": "1", "response": {"settle_s": NaN}}]}', "is nan"),
        ('{"responses": [{"model": "A", "driver": "1", "response": {"settle_s": 1e300}}]}', "settle_s"),
    ],
)
def test_a_broken_file_is_an_error(tmp_path: Path, text: str, because: str) -> None:
    """Its place, what is wrong, and what to do; and it is left as it is."""
    path = tmp_path / "responses.json"
    path.write_text(text, encoding="ascii")
    with pytest.raises(SettingsError, match=because) as caught:
        kept_response("A", "1", path)
    assert str(path) in str(caught.value)
    assert "pytest-energy doctor --calibrate" in str(caught.value)
    with pytest.raises(SettingsError, match=because):
        keep_response(RESPONSE, model="A", driver="1", path=path)
    assert path.read_text(encoding="ascii") == text


def test_two_responses_of_one_card_are_an_error(tmp_path: Path) -> None:
    """As a merge leaves them: which is right isn't known, and the first one isn't taken unseen."""
    path = tmp_path / "responses.json"
    keep_response(RESPONSE, model="A", driver="580.1", path=path)
    document = json.loads(path.read_text(encoding="ascii"))
    document["responses"] *= 2
    path.write_text(json.dumps(document), encoding="ascii")
    with pytest.raises(SettingsError, match="has 2 responses of A under driver 580: remove all but one"):
        kept_response("A", "580.1", path)


def test_the_variable_names_the_file(tmp_path: Path) -> None:
    """Without it the file is in the user's own folder."""
    assert responses_path({FILE_VARIABLE: str(tmp_path / "r.json")}) == tmp_path / "r.json"
    assert responses_path({}).name == "responses.json"


def test_a_sensor_takes_what_was_measured(tmp_path: Path) -> None:
    """Over what is known of the model; and says where it is from."""
    path = tmp_path / "responses.json"
    nvml, environ = FakeNvml(FakeGpu(uuid="GPU-1")), {FILE_VARIABLE: str(path)}
    before = NvmlSensor(nvml=nvml, environ=environ)
    keep_response(RESPONSE, model=before.models["gpu:0"], driver=before.driver, path=path)
    sensor = NvmlSensor(nvml=nvml, environ=environ)
    assert sensor.channels[0].response == RESPONSE
    assert sensor.facts().shown["gpu_counter_response"] == "here"


def test_a_sensor_refuses_a_broken_file(tmp_path: Path) -> None:
    """Rather than measure otherwise than before."""
    path = tmp_path / "responses.json"
    path.write_text("[]", encoding="ascii")
    nvml = FakeNvml(FakeGpu(uuid="GPU-1"))
    with pytest.raises(SettingsError, match=r"responses\.json"):
        NvmlSensor(nvml=nvml, environ={FILE_VARIABLE: str(path)})
