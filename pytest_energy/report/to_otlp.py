"""The run as metrics for a collector that takes OpenTelemetry's protocol over HTTP.

Rule 1: metrics are sent once, at the end, and the answer is looked at: a collector that is down is an error.
Rule 2: headers come from OpenTelemetry's own variables; neither they nor what the library logs are shown.

Source:
    OpenTelemetry, "Semantic Conventions": general metrics, attributes of tests and of version control;
    "OTLP Exporter Configuration".
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pytest_energy.errors import SettingsError, described
from pytest_energy.lazy_module import LazyModule
from pytest_energy.masking import keep_secret, masked_foreign
from pytest_energy.report.exported import FIGURES, commit, label, points
from pytest_energy.report.outputs import Collector
from pytest_energy.report.view import Row, View

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http import metric_exporter
    from opentelemetry.sdk import metrics, resources
    from opentelemetry.sdk.metrics import export
else:
    metrics = LazyModule("opentelemetry.sdk.metrics")
    export = LazyModule("opentelemetry.sdk.metrics.export")
    resources = LazyModule("opentelemetry.sdk.resources")
    metric_exporter = LazyModule("opentelemetry.exporter.otlp.proto.http.metric_exporter")

_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS")
_LOGGER = "opentelemetry"
_PREFIX = "pytest.energy.test."
_OF_SYSTEM = re.compile(r"\[Errno -?\d+\] [\w ]+")
_NO_REASON = ("no reason was given",)


def check(collector: Collector) -> None:
    """Refuse before the work, not after it; what sends is imported, before tests may be in its way.

    Raises:
        SettingsError: What sends metrics is not installed, or a variable of OpenTelemetry can't be used.
    """
    try:
        _ = metrics.MeterProvider, resources.Resource, export.MetricsData
        with _exporter(collector):
            pass
    except ImportError as error:
        raise SettingsError(
            "metrics are sent by opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http, which are not "
            "installed: pip install 'pytest-energy[otel]'"
        ) from error


def metrics_of(view: View) -> "export.MetricsData | None":
    """The figures of *view* as OpenTelemetry has them; `None` if there are none."""
    reader = export.InMemoryMetricReader()
    provider = metrics.MeterProvider([reader], _resource(), shutdown_on_exit=False)
    meter = provider.get_meter("pytest_energy")
    for figure in FIGURES:
        gauge = meter.create_gauge(_PREFIX + figure.name, figure.unit, figure.meaning)
        for point in points(view, figure):
            gauge.set(point.value, _attributes(point.row))
    verdicts = meter.create_gauge(f"{_PREFIX}verdict", "1", "1 for the verdict of the test")
    for row in view.rows:
        verdicts.set(1, _attributes(row))
    return reader.get_metrics_data()


def send(metrics_data: "export.MetricsData | None", collector: Collector) -> None:
    """Send the metrics once, and wait for the answer.

    Raises:
        SettingsError: The collector can't be reached, or refuses.
    """
    if metrics_data is None:
        return
    with _exporter(collector) as (exporter, messages):
        is_sent = exporter.export(metrics_data) is export.MetricExportResult.SUCCESS
    if not is_sent:
        raise SettingsError(
            f"the metrics can't be sent to {collector}: {_reason(messages)}; check that the collector is "
            "running there"
        )


def _reason(messages: Sequence[str]) -> str:
    """Why nothing was sent: what the system says of it, else the last that the library says."""
    causes = filter(None, map(_OF_SYSTEM.search, messages))
    return next((cause[0] for cause in causes), masked_foreign((*_NO_REASON, *messages)[-1]))


@contextmanager
def _exporter(collector: Collector) -> "Iterator[tuple[metric_exporter.OTLPMetricExporter, list[str]]]":
    """What sends to *collector*, and what the library logs meanwhile, which may name a header."""
    _keep_headers()
    with _log_of_library() as messages:
        try:
            exporter = metric_exporter.OTLPMetricExporter(endpoint=collector.endpoint)
        except (ValueError, RuntimeError) as error:
            raise SettingsError(f"{described(error)}; fix the OTEL_... variables") from error
        try:
            yield exporter, messages
        finally:
            exporter.shutdown()


def _resource() -> "resources.Resource":
    """What the variables say of the service, and its name where they say none."""
    own = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "pytest-energy"}
    named = "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return resources.Resource.create({} if named else own)


def _attributes(row: Row) -> dict[str, str]:
    record = row.record
    attributes = {
        "test.case.name": record.test_id,
        "pytest.energy.verdict": row.verdict.value,
        "pytest.energy.provenance": record.provenance.value,
        "pytest.energy.machine": record.machine.key,
        "vcs.ref.head.revision": commit(row),
    }
    return {name: label(text) for name, text in attributes.items() if text}


def _keep_headers() -> None:
    """Cover the values of the headers, which are secrets, in every text from now on."""
    for header in ",".join(os.environ.get(name, "") for name in _HEADERS).split(","):
        value = header.partition("=")[2].strip()
        keep_secret(value, unquote(value))


@contextmanager
def _log_of_library() -> Iterator[list[str]]:
    """What the library logs in the block, which then goes nowhere else."""
    logger, messages = logging.getLogger(_LOGGER), list[str]()
    handler, propagates = _Kept(messages), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield messages
    finally:
        logger.propagate = propagates
        logger.removeHandler(handler)


class _Kept(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())
