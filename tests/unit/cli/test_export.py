"""`pytest-energy export`: a run in another format."""

from pathlib import Path

import pytest

from pytest_energy.report import formats, to_json, view
from pytest_energy.tariff import Tariff, carbon, price
from pytest_energy.yardstick import Yardstick
from tests.builders import CREATED, record
from tests.fakes.otlp_collector import OtlpCollector
from tests.fakes.sessions import gpu_session
from tests.unit.cli.conftest import Cli


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_export_writes_what_the_run_would_have(cli: Cli, run_json: Path, tmp_path: Path, suffix: str) -> None:
    """Each format comes out of the JSON as it came out of the run, but for the time of writing."""
    out_path = tmp_path / "folder" / f"run{suffix}"
    status, out, _ = cli("export", run_json, out_path)
    assert (status, out) == (0, f"written to {out_path}\n")
    written = _without_time(out_path.read_text(encoding="utf-8"))
    assert written == _without_time(formats.RENDERERS[suffix](view.of(gpu_session()), CREATED))


def _without_time(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "created" not in line and "Z by " not in line)


def test_export_needs_a_suffix_that_it_knows(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """An unknown suffix is told with those there are, and nothing is written."""
    status, _, err = cli("export", run_json, tmp_path / "run.xls")
    assert status == 2
    assert ".csv" in err
    assert not (tmp_path / "run.xls").exists()


def test_export_needs_a_place_to_write(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """A file that can't be written is named with the system's reason."""
    (tmp_path / "file").touch()
    status, _, err = cli("export", run_json, tmp_path / "file" / "run.csv")
    assert status == 2
    assert f"{tmp_path}/file/run.csv can't be written" in err


def test_export_keeps_the_yardstick(cli: Cli, tmp_path: Path) -> None:
    """What the fixed loads used is in the JSON that comes out."""
    run = view.of(gpu_session(), yardstick=Yardstick(records=(record(test_id="yardstick::gpu-rest"),)))
    (tmp_path / "run.json").write_text(to_json.render(run, created=CREATED), encoding="utf-8")
    assert cli("export", tmp_path / "run.json", tmp_path / "again.json").status == 0
    text = (tmp_path / "again.json").read_text(encoding="utf-8")
    assert to_json.read(text, "again.json").yardstick == run.yardstick


def test_several_outputs_at_once(
    cli: Cli, run_json: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and a collector, each named when it is written."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")  # however busy the machine
    with OtlpCollector() as collector:
        status, out, _ = cli(
            "export", run_json, f"--out={tmp_path / 'run.prom'}", f"--out=otlp:{collector.url}"
        )
        assert (status, out) == (0, f"written to {tmp_path / 'run.prom'}\nwritten to otlp:{collector.url}\n")
        assert collector.values("pytest.energy.test.energy")


def test_nothing_to_write_is_said(cli: Cli, run_json: Path) -> None:
    """Either OUT or --out is needed."""
    status, _, err = cli("export", run_json)
    assert (status, err) == (2, "pytest-energy: nothing to write: give OUT, or --out=OUT\n")


def test_export_keeps_what_the_run_was_given_for_a_kilowatt_hour(cli: Cli, tmp_path: Path) -> None:
    """What an option gives takes its place, and only of what it is for."""
    given = Tariff(carbon=carbon("360 (a grid)"), price=price("0.36 EUR"))
    run = view.of(gpu_session(), tariff=given)
    (tmp_path / "run.json").write_text(to_json.render(run, created=CREATED), encoding="utf-8")
    for options, expected in (
        ((), given),
        (("--carbon-g-per-kwh=20 (contract)",), Tariff(carbon=carbon("20 (contract)"), price=given.price)),
    ):
        assert cli("export", tmp_path / "run.json", tmp_path / "again.json", *options).status == 0
        text = (tmp_path / "again.json").read_text(encoding="utf-8")
        assert to_json.read(text, "again.json").tariff == expected
