"""Carbon and cost of a run: shown if the user gives an intensity or a price, and never else."""

from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import Project, Run


@pytest.fixture
def one(project: Project) -> Project:
    project.write("def test_work(energy):\n    energy.measure(sum, [1, 2])\n")
    project.replay({"test_work": [10.0, 26.0]})
    return project


def footprint_of(run: Run) -> Any:
    assert run.document is not None, run.text
    return run.document.get("footprint")


def test_no_default(one: Project) -> None:
    """Without the options nothing is said of either."""
    run = one.run("--energy-baseline=off", "--energy-report=full")
    assert footprint_of(run) is None
    assert "CO2e" not in run.text


def test_the_options_add_an_estimate(one: Project) -> None:
    """In the summary and in the JSON, with the number and the source that were given."""
    run = one.run(
        "--energy-baseline=off",
        "--energy-report",
        "--energy-carbon-g-per-kwh=360 (a grid)",
        "--energy-price-per-kwh=0.36 EUR",
    )
    text = " ".join(run.text.split())
    assert (
        "Carbon and cost: 3.6 mg CO2e, 3.60e-06 EUR, estimated from 36 J (GPU, replayed) of 2 rounds" in text
    )
    assert "360 g CO2e/kWh (a grid), 0.36 EUR/kWh (source not given)" in text
    (total,) = footprint_of(run)["totals"]
    assert (total["energy_j"], total["carbon_g"]) == (36.0, pytest.approx(0.0036))
    assert footprint_of(run)["price"] == {"amount": 0.36, "unit": "EUR"}


def test_the_ini_file_has_the_same_values(one: Project) -> None:
    """The command line wins over it, each value by itself."""
    ini = "[pytest]\nenergy_carbon_g_per_kwh = 360 (a grid)\nenergy_price_per_kwh = 0.36 EUR\n"
    (one.path / "pytest.ini").write_text(ini, encoding="utf-8")
    given = footprint_of(one.run("--energy-baseline=off", "--energy-carbon-g-per-kwh=20"))
    assert given["carbon"] == {"amount": 20.0, "unit": "g CO2e"}
    assert given["price"] == {"amount": 0.36, "unit": "EUR"}


def test_the_summary_of_a_github_step_has_it(
    one: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is a report as any other."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    one.run("--energy-baseline=off", "--energy-report", "--energy-carbon-g-per-kwh=360")
    assert "3.6 mg CO2e, estimated from 36 J" in (tmp_path / "step.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (
            "--energy-carbon-g-per-kwh=lots",
            "--energy-carbon-g-per-kwh must be grams of CO2e from 0 to a million",
        ),
        (
            "--energy-price-per-kwh=0.31",
            "--energy-price-per-kwh must be a price from 0 to a million with its currency",
        ),
    ],
)
def test_what_is_neither_stops_the_run(one: Project, option: str, text: str) -> None:
    """Before any test, with the option's name and the value."""
    run = one.run(option)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert text in " ".join(run.text.split())
