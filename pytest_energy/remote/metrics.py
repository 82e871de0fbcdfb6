"""What an agent counts, as text for Prometheus.

Rule 1: what isn't known has no sample: a channel that can't be read is missing, and is never 0.

Source:
    Prometheus, "Metric and label naming", "Exposition formats".
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.model import Channel
from pytest_energy.remote.agent import Agent

if TYPE_CHECKING:
    import prometheus_client
    from prometheus_client import core
else:
    prometheus_client = LazyModule("prometheus_client")
    core = LazyModule("prometheus_client.core")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "pytest_energy_agent"


def check_installed() -> None:
    """Refuse at the start, not at the first scrape.

    Raises:
        SettingsError: What writes the text is not installed.
    """
    try:
        _ = prometheus_client.CollectorRegistry
    except ImportError as error:
        raise SettingsError(
            "the agent's metrics are written by prometheus_client, which is not installed: "
            "pip install 'pytest-energy[agent]'"
        ) from error


def render(agent: Agent) -> bytes:
    """The text of one scrape."""
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(_Scrape(agent))
    text: bytes = prometheus_client.generate_latest(registry)
    return text


class _Scrape:
    """The families of one scrape."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def collect(self) -> Iterator["core.Metric"]:
        agent, description = self._agent, self._agent.description()
        info = core.GaugeMetricFamily(
            f"{_PREFIX}_info", "1 for the agent and its machine", labels=("host", "machine", "version")
        )
        info.add_metric((description.host, description.machine.key, description.version), 1)
        yield info
        yield self._joules()
        absent = core.GaugeMetricFamily(
            f"{_PREFIX}_sensor_absent",
            "1 for each sensor that is not available, with the reason",
            labels=("sensor", "because"),
        )
        for status in description.statuses:
            if status.absent_because is not None:
                absent.add_metric((status.name, status.absent_because), 1)
        yield absent
        yield _gauge(
            "sampling", "1 if the counters are read, 0 if the sampler has died", [agent.why_dead() is None]
        )
        yield _gauge("runs", "runs that measure with this agent now", [len(agent.runs())])
        yield from self._usage()

    def _joules(self) -> "core.Metric":
        description, joules = self._agent.description(), self._agent.joules()
        family = core.CounterMetricFamily(
            f"{_PREFIX}_energy_joules",
            "joules of a channel, from an arbitrary zero",
            labels=("channel", "domain", "provenance"),
        )
        for name, energy_j in joules.items():
            family.add_metric((name, Channel.domain_of(name).value, description.provenance.value), energy_j)
        return family

    def _usage(self) -> Iterator["core.Metric"]:
        host = self._agent.host()
        yield _counter("cpu_busy_seconds", "processor seconds of work, all processors", host.cpu_busy_s)
        yield _counter("cpu_seconds", "processor seconds, busy or not", host.cpu_total_s)
        yield _gauge(
            "gpu_utilisation_ratio", "mean utilisation of the GPUs, 0 to 1", [host.gpu_utilisation_share]
        )
        yield _gauge("gpu_memory_used_bytes", "memory in use on all GPUs", [host.gpu_memory_used_bytes])


def _gauge(name: str, meaning: str, values: Iterable[float | None]) -> "core.Metric":
    family = core.GaugeMetricFamily(f"{_PREFIX}_{name}", meaning)
    for value in values:
        if value is not None:
            family.add_metric((), value)
    return family


def _counter(name: str, meaning: str, value: float) -> "core.Metric":
    family = core.CounterMetricFamily(f"{_PREFIX}_{name}", meaning)
    family.add_metric((), value)
    return family
