"""What an agent exports."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_energy.errors import SensorError
from pytest_energy.remote import metrics
from pytest_energy.usage import Usage
from tests.fakes.agent import AgentBench


def samples(bench: AgentBench) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Each sample's labels and value, by name."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(metrics.render(bench.agent).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def joules(bench: AgentBench) -> dict[str, float]:
    family = samples(bench)["pytest_energy_agent_energy_joules_total"]
    return {labels["channel"]: value for labels, value in family}


def test_joules_are_counters_by_channel() -> None:
    """They rise by what the device used, and say of what kind they are."""
    bench = AgentBench()
    bench.clock.sleep_s(3.0)
    before = joules(bench)
    bench.device.work([(5.0, 500.0)])
    after = joules(bench)
    risen_j = {name: after[name] - before[name] for name in after}
    assert risen_j == pytest.approx({"cpu:package-0": 2500.0, "gpu:0": 2500.0}, rel=0.03)
    labels = [labels for labels, _ in samples(bench)["pytest_energy_agent_energy_joules_total"]]
    assert labels[0] == {"channel": "gpu:0", "domain": "gpu", "provenance": "measured"}


def test_a_channel_that_can_not_be_read_has_no_sample() -> None:
    """It is missing, never 0."""
    bench = AgentBench()
    bench.clock.sleep_s(3.0)
    bench.gpu.fault = SensorError("gpu:0: it fell off the bus")
    bench.clock.sleep_s(20.0)
    assert joules(bench).keys() == {"cpu:package-0"}


def test_a_sensor_that_is_absent_is_exported_with_its_reason() -> None:
    """Who scrapes sees what this machine can't measure."""
    bench = AgentBench()
    absent = samples(bench)["pytest_energy_agent_sensor_absent"]
    assert absent == [({"sensor": "dcgm", "because": "no driver"}, 1.0)]


def test_runs_that_measure_are_counted() -> None:
    """A scrape is no run."""
    bench = AgentBench()
    assert samples(bench)["pytest_energy_agent_runs"] == [({}, 0.0)]
    bench.poll(run_id="one")
    bench.poll(run_id="two")
    assert samples(bench)["pytest_energy_agent_runs"] == [({}, 2.0)]


def test_a_dead_sampler_is_exported() -> None:
    """1 while counters are read, 0 when they aren't."""
    bench = AgentBench()
    bench.clock.sleep_s(3.0)
    assert samples(bench)["pytest_energy_agent_sampling"] == [({}, 1.0)]
    bench.gpu.fault = RuntimeError("a library is broken")
    bench.clock.sleep_s(0.5)
    assert samples(bench)["pytest_energy_agent_sampling"] == [({}, 0.0)]


def test_what_a_sensor_does_not_report_is_missing() -> None:
    """Utilisation has a sample only where a GPU reports it."""
    bench = AgentBench()
    assert "pytest_energy_agent_gpu_utilisation_ratio" not in samples(bench)
    bench.gpu.usages = Usage(gpu_utilisation_share=0.25)
    bench.clock.sleep_s(3.0)
    assert samples(bench)["pytest_energy_agent_gpu_utilisation_ratio"] == [({}, 0.25)]
