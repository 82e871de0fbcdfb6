"""Metrics at a collector: what arrives there, and what is said where nothing does."""

import logging
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.report import formats, to_otlp, view
from pytest_energy.report.outputs import Collector, Output, output_of
from tests.builders import CREATED, comparison, judgement
from tests.fakes.otlp_collector import OtlpCollector
from tests.fakes.sessions import estimated_session, gpu_session

SECRET = "Bearer 0123456789abcdef"  # noqa: S105  # of a stand-in
PREFIX = "pytest.energy.test."


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine's own counts, and no proxy."""
    for name in [*os.environ]:
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")  # however busy the machine


def send(collector: OtlpCollector, *judgements: object, path: str = "") -> None:
    formats.write(judgements, output_of(f"otlp:{collector.url}{path}"), created=CREATED)  # type: ignore[arg-type]


def committed(one: Judgement) -> Judgement:
    """*one*, measured at the commit 3f2c1ab."""
    machine = replace(one.record.machine, varying={"git_commit": "3f2c1ab"})
    return replace(one, record=replace(one.record, machine=machine))


def test_figures_arrive_with_their_units() -> None:
    """Joules, seconds and watts of each test that has them, by the names that the documentation lists."""
    one = judgement(test_id="t.py::a", energy_j=12.0, duration_s=2.0, samples=4, compared=comparison(1.25))
    with OtlpCollector() as collector:
        send(collector, one, judgement(test_id="t.py::b", energy_j=3.0, samples=None))
        assert collector.paths == ["/v1/metrics"]
        assert collector.values(f"{PREFIX}energy") == {"t.py::a": 12.0, "t.py::b": 3.0}
        assert collector.values(f"{PREFIX}power") == {"t.py::a": 6.0, "t.py::b": pytest.approx(3.0)}
        assert collector.values(f"{PREFIX}energy_per_sample") == {"t.py::a": 3.0}
        assert collector.values(f"{PREFIX}baseline_ratio") == {"t.py::a": 1.25}
        units = {name.removeprefix(PREFIX): unit for name, unit in collector.units.items()}
        assert (units["energy"], units["duration"], units["power"], units["baseline_ratio"]) == (
            "J",
            "s",
            "W",
            "1",
        )


def test_each_figure_has_its_test_verdict_machine_commit_and_provenance() -> None:
    """An estimate can't be taken for a measurement."""
    with OtlpCollector() as collector:
        send(collector, *map(committed, gpu_session()))
        resnet = next(
            a for a in collector.attributes(f"{PREFIX}energy") if "training[resnet18]" in a["test.case.name"]
        )
        assert resnet == {
            "test.case.name": "benchmarks/cnn/test_cnn.py::test_training[resnet18]",
            "pytest.energy.verdict": "regression",
            "pytest.energy.provenance": "measured",
            "pytest.energy.machine": "h100-80gb-hbm3_xeon-8480_nvml",
            "vcs.ref.head.revision": "3f2c1ab",
        }
        send(collector, *estimated_session())
        provenances = {one["pytest.energy.provenance"] for one in collector.attributes(f"{PREFIX}energy")}
        assert provenances == {"estimated"}


def test_what_is_absent_is_not_sent() -> None:
    """A test without joules has its verdict, and no energy, not 0."""
    with OtlpCollector() as collector:
        send(collector, judgement(test_id="t.py::a", energy_j=None, verdict=Verdict.VOID))
        assert collector.values(f"{PREFIX}verdict") == {"t.py::a": 1}
        assert collector.units.keys() == {f"{PREFIX}verdict"}


@pytest.mark.parametrize("path", ["", "/", "/v1/metrics"])
def test_the_path_is_that_of_metrics(path: str) -> None:
    """A bare address and a whole one mean the same."""
    with OtlpCollector() as collector:
        send(collector, judgement(), path=path)
        assert collector.paths == ["/v1/metrics"]


def test_without_an_address_the_variables_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in any program that uses OpenTelemetry; so do they for the name of the service and the headers."""
    with OtlpCollector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization={SECRET.replace(' ', '%20')}")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
        formats.write([judgement()], output_of("otlp:"), created=CREATED)
        assert collector.headers["authorization"] == SECRET
        assert collector.resource["service.name"] == "nightly"


def test_the_service_has_a_name_of_its_own() -> None:
    """Where no variable names it."""
    with OtlpCollector() as collector:
        send(collector, judgement())
        assert collector.resource["service.name"] == "pytest-energy"


def test_no_tests_send_nothing() -> None:
    """A run without tests is no error."""
    with OtlpCollector() as collector:
        send(collector)
        assert collector.paths == []


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_an_error_without_the_headers(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    """The address and the reason are said; the library's own log shows nothing."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-api={SECRET}, {SECRET}")  # the second has no name
    with OtlpCollector(status) as collector, pytest.raises(SettingsError) as error:
        send(collector, judgement())
    assert str(error.value).startswith(f"the metrics can't be sent to otlp:{collector.url}: ")
    assert f"code: {status}" in str(error.value)
    assert "0123456789abcdef" not in str(error.value) + "".join(capfd.readouterr())
    assert logging.getLogger("opentelemetry").propagate


def test_a_collector_that_is_down_costs_no_other_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named with the reason, and the files are written."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    outputs = [output_of("otlp:http://user:sesame-street@127.0.0.1:9"), tmp_path / "x.json"]
    written: list[Output] = []
    write_one = partial(formats.write, [judgement()], created=CREATED)
    with pytest.raises(SettingsError) as error:
        formats.write_each(outputs, write_one, written.append)
    assert str(error.value).startswith("the metrics can't be sent to otlp:http://***@127.0.0.1:9: ")
    assert "check that the collector is running there" in str(error.value)
    assert written == [tmp_path / "x.json"]


def test_a_name_with_half_a_character_is_sent_escaped() -> None:
    """As in every other output."""
    with OtlpCollector() as collector:
        send(collector, judgement(test_id="t.py::t\udc80"))
        assert list(collector.values(f"{PREFIX}energy")) == ["t.py::t\\udc80"]


@pytest.mark.parametrize("text", ["otlp:localhost:4318", "otlp:ftp://x", "otlp:http://", "otlp:http://x:y"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """What it must look like is said."""
    with pytest.raises(
        SettingsError, match="must be an http or https URL, such as otlp:http://localhost:4318"
    ):
        output_of(text)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the work, with the command that installs it."""

    class Gone:
        def __getattr__(self, name: str) -> object:
            raise ImportError(name)

    monkeypatch.setattr(to_otlp, "metric_exporter", Gone())
    with pytest.raises(SettingsError, match=r"pip install 'pytest-energy\[otel\]'"):
        formats.check_outputs([Collector("http://127.0.0.1:4318")])


def test_metrics_of_nothing_are_none() -> None:
    """Nothing is made of no test."""
    assert to_otlp.metrics_of(view.of([])) is None


def test_a_variable_that_can_not_be_used_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the work, with its value."""
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "soon")
    with pytest.raises(SettingsError, match=r"'soon' not found.*; fix the OTEL_"):
        formats.check_outputs([Collector("http://127.0.0.1:4318")])


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (
            [
                "Transient error HTTPConnectionPool(...: [Errno 111] Connection refused')) encountered",
                "gave up",
            ],
            "[Errno 111] Connection refused",
        ),
        (["first", "Failed to export metrics batch code: 401"], "Failed to export metrics batch code: 401"),
        ([], "no reason was given"),
    ],
)
def test_the_reason_is_what_the_system_says(messages: list[str], reason: str) -> None:
    """The library's own words are long, and its last ones name no cause."""
    assert to_otlp._reason(messages) == reason
