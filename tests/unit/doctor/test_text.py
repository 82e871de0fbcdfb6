"""The doctor's words and its JSON."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_energy.doctor import Report, render, to_json
from pytest_energy.doctor.permissions import Permission
from pytest_energy.errors import Reason, SensorError
from pytest_energy.sensors.nvml_responses import UNKNOWN
from tests.unit.doctor.conftest import Bench

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def report(bench: Bench) -> Report:
    """A machine with everything that a report can hold."""
    bench.add("nvml", "gpu:0", call_s=(0.003, 0.003))
    bench.add("estimate", "cpu:package-0")
    bench.add_absent(
        "rapl",
        Reason(
            "through powercap: /sys/x has mode 0400",
            ("Until the next boot: sudo chmod a+r /sys/x", "Permanently: y"),
        ),
        Reason("through perf: paranoid is 4"),
    )
    refused = Permission(
        sensor="rapl", what="/sys/x (mode 0400)", is_granted=False, fix="sudo chmod a+r /sys/x"
    )
    granted = Permission(sensor="nvml", what="/dev/nvidia0 (mode 0666)", is_granted=True, fix=None)
    return replace(bench.report(), permissions=(granted, refused), machine_key="h100_nvml")


def test_the_text_says_it_all(report: Report) -> None:
    """One line a channel; absences sentence by sentence, commands whole; what gates and what doesn't."""
    lines = render(report).splitlines()
    assert lines[0] == "This machine measures. Its baselines are kept under h100_nvml."
    (row,) = [line for line in lines if line.startswith("gpu:0")]
    assert row.split()[:5] == ["gpu:0", "nvml", "measured:", "energy", "counter"]
    assert "3 ms" in row
    assert row.endswith("hard work")
    text = "\n".join(lines)
    assert (
        "absent\n  rapl\n    through powercap: /sys/x has mode 0400\n    Until the next boot: sudo chmod "
        "a+r /sys/x\n    Permanently: y\n    through perf: paranoid is 4\n"
    ) in text
    assert "available, not used\n  estimate: a run doesn't use it by itself" in text
    assert (
        "permissions\n  nvml: /dev/nvidia0 (mode 0666): granted\n"
        "  rapl: /sys/x (mode 0400): refused; until the next boot:\n    sudo chmod a+r /sys/x\n"
    ) in text
    assert "may fail a test\n  gpu:0\n" in text
    assert "may not\n  cpu: no channel here" in text


def test_what_isnt_known_is_a_dash(bench: Bench) -> None:
    """On the screen an unknown value is `-`, never 0."""
    bench.add("nvml", "gpu:0").fault = SensorError("gpu:0: GPU is lost")
    (row,) = [line for line in render(bench.report()).splitlines() if line.startswith("gpu:0")]
    assert row.split().count("-") == 4
    assert "0 W" not in row


def test_the_json_says_the_same(report: Report) -> None:
    """Keys are the Python names, units last, and it is JSON."""
    document = json.loads(json.dumps(to_json(report), allow_nan=False))
    assert set(document) == {
        *("format", "measures", "machine_key", "gates", "gates_not", "sensors", "permissions"),
    }
    assert document["format"] == 1
    assert document["measures"] is True
    assert document["machine_key"] == "h100_nvml"
    assert document["gates"] == ["gpu:0"]
    assert document["gates_not"] == {"cpu": "no channel here", "dram": "no channel here"}
    by_name: Mapping[str, Any] = {sensor["name"]: sensor for sensor in document["sensors"]}
    assert set(by_name) == {"nvml", "rapl", "estimate"}
    channel = by_name["nvml"]["channels"][0]
    assert channel["tick_s"] == pytest.approx(0.1, rel=0.02)
    assert set(channel) == {
        *("name", "domain", "device", "source", "is_ticked", "tick_s", "call_s"),
        *("idle_power_w", "load_power_w", "load", "absent_because", "response"),
    }
    assert document["permissions"][1]["fix"] == "sudo chmod a+r /sys/x"


def test_unknown_values_are_null(bench: Bench) -> None:
    """A power that wasn't read is `null` in JSON."""
    bench.add("nvml", "gpu:0").is_stuck = True
    channel = to_json(bench.report())["sensors"][0]["channels"][0]  # type: ignore[index]  # JSON
    assert (channel["tick_s"], channel["idle_power_w"], channel["load_power_w"]) == (None, None, None)


def test_a_response_that_is_not_known_has_its_remedy(report: Report) -> None:
    """The source of each response, and how to measure one."""
    (sensor,) = [sensor for sensor in report.sensors if sensor.name == "nvml"]
    for source, is_known in ((UNKNOWN.source, False), ("measured here", True)):
        channels = tuple(replace(channel, response=source) for channel in sensor.channels)
        text = render(replace(report, sensors=(replace(sensor, channels=channels),)))
        assert f"response of counters\n  gpu:0: {source}\n" in text
        assert ("doctor --calibrate" in text) is not is_known
    assert "response of counters" not in render(report)
