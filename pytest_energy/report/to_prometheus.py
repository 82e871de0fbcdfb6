"""The run as a textfile for Prometheus: node_exporter's textfile collector reads it.

Rule 1: what changes from run to run (commit, time) labels no series of its own but the run's information: a
test is one series for each machine and provenance.

Source:
    Prometheus, "Metric and label naming", "Exposition formats".
"""

from datetime import datetime
from typing import TYPE_CHECKING

from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.report.exported import FIGURES, Figure, commit, label, points
from pytest_energy.report.view import Row, View

if TYPE_CHECKING:
    import prometheus_client
else:
    prometheus_client = LazyModule("prometheus_client")

_SUFFIXES = {"J": "_joules", "s": "_seconds", "W": "_watts", "1": ""}
_OF_TEST = ("test", "machine", "provenance")


def check_installed() -> None:
    """Refuse before the work, not after it.

    Raises:
        SettingsError: What writes the file is not installed.
    """
    try:
        _ = prometheus_client.CollectorRegistry
    except ImportError as error:
        raise SettingsError(
            "a .prom file is written by prometheus_client, which is not installed: "
            "pip install 'pytest-energy[prometheus]'"
        ) from error


def render(view: View) -> str:
    """The text of the file."""
    registry = prometheus_client.CollectorRegistry()
    for figure in FIGURES:
        _add(registry, view, figure)
    verdicts = prometheus_client.Gauge(
        "pytest_energy_test_verdict",
        "1 for the verdict of the test",
        (*_OF_TEST, "verdict"),
        registry=registry,
    )
    runs = prometheus_client.Gauge(
        "pytest_energy_run_info",
        "1 for the commit that was measured",
        ("commit", "machine"),
        registry=registry,
    )
    for row in view.rows:
        verdicts.labels(*_labels(row), row.verdict.value).set(1)
        if commit(row):
            runs.labels(label(commit(row)), label(row.record.machine.key)).set(1)
    if view.rows:
        newest = max(datetime.fromisoformat(row.record.created) for row in view.rows)
        name, meaning = "pytest_energy_run_timestamp_seconds", "time of the newest measurement"
        prometheus_client.Gauge(name, meaning, registry=registry).set(newest.timestamp())
    text: str = prometheus_client.generate_latest(registry).decode()
    return text


def _add(registry: "prometheus_client.CollectorRegistry", view: View, figure: Figure) -> None:
    gauge = prometheus_client.Gauge(
        f"pytest_energy_test_{figure.name}{_SUFFIXES[figure.unit]}",
        figure.meaning,
        _OF_TEST,
        registry=registry,
    )
    for point in points(view, figure):
        gauge.labels(*_labels(point.row)).set(point.value)


def _labels(row: Row) -> tuple[str, ...]:
    record = row.record
    return label(record.test_id), label(record.machine.key), record.provenance.value
