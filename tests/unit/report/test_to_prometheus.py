"""The textfile, read back by Prometheus' own parser."""

from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.report import formats, to_prometheus, view
from tests.builders import CREATED, comparison, judgement
from tests.fakes.sessions import estimated_session, gpu_session
from tests.unit.report.test_to_otlp import committed

Samples = dict[str, list[tuple[dict[str, str], float]]]


def samples(*judgements: Judgement) -> Samples:
    text = to_prometheus.render(view.of(judgements))
    return {
        family.name: [(dict(one.labels), one.value) for one in family.samples]
        for family in text_string_to_metric_families(text)
    }


def of_test(found: Samples, name: str) -> dict[str, float]:
    return {labels["test"]: value for labels, value in found[f"pytest_energy_test_{name}"]}


def test_figures_have_names_with_units() -> None:
    """Joules, seconds and watts of each test that has them."""
    one = judgement(test_id="t.py::a", energy_j=12.0, duration_s=2.0, samples=4, compared=comparison(1.25))
    found = samples(one, judgement(test_id="t.py::b", energy_j=3.0, samples=None, verdict=Verdict.REGRESSION))
    assert of_test(found, "energy_joules") == {"t.py::a": 12.0, "t.py::b": 3.0}
    assert of_test(found, "duration_seconds")["t.py::a"] == 2.0
    assert of_test(found, "power_watts")["t.py::a"] == 6.0
    assert of_test(found, "energy_per_sample_joules") == {"t.py::a": 3.0}
    assert of_test(found, "baseline_ratio") == {"t.py::a": 1.25}
    assert [labels["verdict"] for labels, _ in found["pytest_energy_test_verdict"]] == ["regression", "pass"]
    assert found["pytest_energy_run_timestamp_seconds"] == [
        ({}, datetime.fromisoformat(one.record.created).timestamp())
    ]


def test_a_test_is_one_series_for_each_machine_and_provenance() -> None:
    """What changes from run to run labels the run alone."""
    found = samples(*map(committed, gpu_session()))
    assert {tuple(sorted(labels)) for labels, _ in found["pytest_energy_test_energy_joules"]} == {
        ("machine", "provenance", "test")
    }
    assert found["pytest_energy_run_info"] == [
        ({"commit": "3f2c1ab", "machine": "h100-80gb-hbm3_xeon-8480_nvml"}, 1.0)
    ]
    estimated = samples(*estimated_session())["pytest_energy_test_energy_joules"]
    assert {labels["provenance"] for labels, _ in estimated} == {"estimated"}


def test_what_is_absent_has_no_sample() -> None:
    """A test without joules has its verdict, and no energy, not 0."""
    found = samples(judgement(test_id="t.py::a", energy_j=None, verdict=Verdict.VOID))
    assert found["pytest_energy_test_energy_joules"] == []
    assert of_test(found, "verdict") == {"t.py::a": 1.0}


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\\b", "a} 1\nx 2", "ä", "a{b}"])
def test_any_name_comes_back(name: str) -> None:
    """No name makes a line of its own."""
    assert of_test(samples(judgement(test_id=name)), "energy_joules").keys() == {name}


def test_each_family_has_its_help_and_type() -> None:
    """As the collector of node_exporter asks for."""
    text = to_prometheus.render(view.of(gpu_session()))
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert families == {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert "# TYPE pytest_energy_test_energy_joules gauge\n" in text
    assert text.endswith("\n")


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    """What the collector reads is named `.prom` at one moment only: when it is whole."""
    path = tmp_path / "energy.prom"
    path.write_text("old\n")
    inode = path.stat().st_ino
    formats.write([judgement()], path, created=CREATED)
    assert path.stat().st_ino != inode
    assert [one.name for one in tmp_path.iterdir()] == ["energy.prom"]


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the work, with the command that installs it."""

    class Gone:
        def __getattr__(self, name: str) -> object:
            raise ImportError(name)

    monkeypatch.setattr(to_prometheus, "prometheus_client", Gone())
    with pytest.raises(SettingsError, match=r"pip install 'pytest-energy\[prometheus\]'"):
        formats.check_outputs([tmp_path / "run.prom"])
