"""`pytest-energy plot`: the files it writes, what it says, and with which status it ends."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.model import Record
from tests.builders import TEST_ID, comparison, judgement, sessions
from tests.unit.cli.conftest import Cli, written


@pytest.fixture
def run_json(tmp_path: Path) -> Path:
    """Two models of a group, and a test that was compared."""
    return written(
        tmp_path / "run.json",
        *(judgement(test_id=f"t.py::t[{n}]", group="g", model=str(n), metrics={"m": n}) for n in (1.0, 2.0)),
        judgement(compared=comparison()),
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("arguments", "suffix"), [((), "png"), (("--format", "svg", "--dark"), "svg")])
def test_figures_are_written_and_said(
    cli: Cli,
    run_json: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    suffix: str,
) -> None:
    """0, a file a figure in a folder that is made, and each named."""
    folder = tmp_path / "new" / "figures"
    status, out, err = cli("plot", run_json, "--out", folder, *arguments)
    assert (status, err) == (0, "")
    assert names(folder) == [f"correlation-g.{suffix}"]
    assert out == f"drawing 1 figure\n[1/1] {folder / f'correlation-g.{suffix}'}\n"


def test_tests_have_figures_if_asked_for(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """--tests draws what was compared, with the baseline's sessions and the tolerance if given."""
    store = Store(tmp_path / "baselines")
    key = judgement().record.machine.key
    store.write(key, TEST_ID, sessions_of(key), "add")
    folder = tmp_path / "figures"
    status, out, _ = cli(
        *("plot", run_json, "--out", folder, "--format", "svg", "--tests"),
        *("--baselines", store.folder, "--tolerance", "0.03"),
    )
    assert status == 0
    assert "2 of 3 tests were not compared with a baseline" in out
    text = (folder / "rounds-test_training-resnet18.svg").read_text(encoding="utf-8")
    assert "rounds of each baseline session" in text
    assert "tolerance +3 %" in text


def sessions_of(key: str) -> list[Record]:
    """Two sessions of the test that was compared, on its machine."""
    return [replace(one, test_id=TEST_ID, machine=replace(one.machine, key=key)) for one in sessions(2)]


def test_options_without_effect_are_refused(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """--tolerance without --tests would change nothing: 2, and what to add."""
    status, _, err = cli("plot", run_json, "--out", tmp_path / "f", "--tolerance", "0.05")
    assert status == 2
    assert "add --tests" in err
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("value", ["-1", "10", "nan", "much"])
def test_a_tolerance_is_a_share(cli: Cli, run_json: Path, tmp_path: Path, value: str) -> None:
    """Anything else is refused with the value."""
    status, _, err = cli("plot", run_json, "--out", tmp_path, "--tests", f"--tolerance={value}")
    assert status == 2
    assert "must be a share from 0 to 100 %" in err
    assert f"Got {value!r}." in err


def test_nothing_to_draw(cli: Cli, tmp_path: Path) -> None:
    """A run without groups: 2, what is needed, and no folder."""
    run = written(tmp_path / "run.json", judgement())
    status, _, err = cli("plot", run, "--out", tmp_path / "f")
    assert status == 2
    assert "has nothing to draw" in err
    assert not (tmp_path / "f").exists()


def test_a_figure_for_a_paper(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """One metric, bare, 85 mm: a PDF of that width with TrueType fonts; the words are printed."""
    status, out, err = cli(
        *("plot", run_json, "--out", tmp_path / "f", "--metric", "m"),
        *("--format", "pdf", "--width", "85mm", "--bare"),
    )
    assert (status, err) == (0, "")
    assert names(tmp_path / "f") == ["correlation-g-m.pdf"]
    drawn = (tmp_path / "f" / "correlation-g-m.pdf").read_bytes()
    width_pt, _ = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", drawn)[0]
    assert float(width_pt) == pytest.approx(85 / 25.4 * 72, abs=0.01)
    assert b"/CIDFontType2" in drawn
    assert b"/Type3" not in drawn
    assert "g: energy against m. NVIDIA H100 80GB HBM3" in out
    assert "Spearman's rho with energy per sample" in out


def test_a_metric_that_the_run_lacks(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """2, and the nearest name or all that the run has."""
    status, _, err = cli("plot", run_json, "--out", tmp_path / "f", "--metric", "mm")
    assert status == 2
    assert "the run has no metric 'mm': did you mean m?" in err
    _, _, err = cli("plot", run_json, "--out", tmp_path / "f", "--metric", "joules")
    assert "the run has no metric 'joules': it has m" in err


@pytest.mark.parametrize("width", ["85", "0mm", "85px", "-3cm", "9m", "nan mm", "1e3mm"])
def test_a_width_is_a_length(cli: Cli, run_json: Path, tmp_path: Path, width: str) -> None:
    """Without a unit, too small, too large or no number: 2 with the value."""
    status, _, err = cli("plot", run_json, "--out", tmp_path, f"--width={width}")
    assert status == 2
    assert repr(width) in err


def test_no_run(cli: Cli, tmp_path: Path) -> None:
    """A file that isn't there is 2 with its name."""
    status, _, err = cli("plot", tmp_path / "none.json", "--out", tmp_path)
    assert status == 2
    assert "none.json" in err


def test_without_matplotlib(
    cli: Cli, run_json: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 and the extra that brings it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = cli("plot", run_json, "--out", tmp_path / "f")
    assert status == 2
    assert "pip install 'pytest-energy[plot]'" in err


def test_other_commands_do_not_load_matplotlib() -> None:
    """It is imported when a figure is drawn, not when the command or the report is."""
    code = (
        "import sys, pytest_energy.cli, pytest_energy.report.catalogue, pytest_energy.report.formats; "
        "sys.exit('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603  # our own words
    assert done.returncode == 0
