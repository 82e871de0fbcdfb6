"""Carbon and cost in the ledger: its joules times what the user gave, and nothing where nothing was given."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.ledger.footprint import as_json, tables
from pytest_energy.ledger.text import as_json as ledger_as_json
from pytest_energy.ledger.text import render, render_markdown
from pytest_energy.report import to_json, view
from pytest_energy.tariff import Tariff, carbon, price
from tests.builders import CREATED
from tests.unit.cli.conftest import Cli
from tests.unit.cli.conftest import cli as cli  # noqa: PLC0414  # a fixture
from tests.unit.ledger.test_ledger import ledger, phases, run

BOTH = Tariff(carbon=carbon("360 (a grid)"), price=price("0.36 EUR"))


def test_amounts_are_the_ledgers_joules_times_what_was_given() -> None:
    """Once, per request with its share, and in what a practice saves."""
    found = as_json(ledger(run(phases), run(phases)), [100.0], BOTH)
    first = found["combinations"][0]  # type: ignore[index]  # a list, as JSON has them
    assert first["on"] == {"amp": False, "int8": False}
    assert first["once"] == {"carbon_g": pytest.approx(101e-4), "cost": pytest.approx(101e-7)}
    assert first["amortised"] == {"100": {"carbon_g": pytest.approx(3.01e-4), "cost": pytest.approx(3.01e-7)}}
    saved = found["net_savings"]["int8"]["100"]  # type: ignore[index]  # a dict by practice
    assert saved == {"carbon_g": pytest.approx(41e-4), "cost": pytest.approx(41e-7)}


def test_what_was_not_given_is_null() -> None:
    """Not 0."""
    found = as_json(ledger(run(phases)), [100.0], Tariff(price=BOTH.price))
    assert found["combinations"][0]["once"]["carbon_g"] is None  # type: ignore[index]  # as JSON has it
    assert found["given"] == [{"amount": 0.36, "unit": "EUR", "source": None}]


def test_a_saving_has_the_interval_of_its_joules() -> None:
    """With two blocks; one block has none. What costs more is below 0."""
    only = Tariff(carbon=BOTH.carbon)
    _, (_, rows) = tables(ledger(run(phases), run(phases)), [2.0], only, str)[1]
    assert [row[2] for row in rows if row[0] == "int8"] == ["-800 ug CO2e [-800 ug CO2e, -800 ug CO2e]"]
    _, (_, rows) = tables(ledger(run(phases)), [2.0], only, str)[1]
    assert [row[2] for row in rows if row[0] == "int8"] == ["-800 ug CO2e"]


def test_a_practice_has_a_row_for_each_amount() -> None:
    """Both would make a line that no terminal shows."""
    _, (heads, rows) = tables(ledger(run(phases)), [2.0], BOTH, str)[1]
    assert heads == ("practice", "of", "over 2")
    assert [row[:2] for row in rows] == [
        *(("amp", "carbon"), ("amp", "cost"), ("int8", "carbon"), ("int8", "cost")),
    ]


def test_each_form_calls_them_estimates() -> None:
    """With the number, its source, and what is not included; without a tariff there is nothing of it."""
    found = ledger(run(phases), run(phases))
    for text in (render(found, [1e3], BOTH), render_markdown(found, [1e3], BOTH)):
        assert "estimated carbon and cost of each combination" in text
        assert (
            "Carbon and cost are estimates at 360 g CO2e/kWh (a grid), 0.36 EUR/kWh (source not given)."
            in text
        )
        assert "are not included" in text
    assert "CO2e" not in render(found, [1e3]) + render_markdown(found, [1e3])
    assert "footprint" not in ledger_as_json(found, [1e3])


def test_a_source_makes_no_markup() -> None:
    """It may come from a file of anyone."""
    tariff = Tariff(carbon=replace(carbon("1"), source="<script>alert(1)</script>\x1b[31m"))
    found = ledger(run(phases))
    assert "<script>" not in render_markdown(found, [1e3], tariff)
    assert "\x1b" not in render(found, [1e3], tariff)


def test_the_command_takes_what_the_runs_were_given(cli: Cli, tmp_path: Path) -> None:
    """If it is the same for all; else an option decides, and without one the output says what is missing."""

    def written(name: str, tariff: Tariff) -> Path:
        path = tmp_path / name
        path.write_text(
            to_json.render(view.of(run(phases), tariff=tariff), created=CREATED), encoding="utf-8"
        )
        return path

    same = [written("a.json", BOTH), written("b.json", BOTH)]
    other = [same[0], written("c.json", Tariff(carbon=carbon("20")))]
    assert "360 g CO2e/kWh (a grid)" in cli("ledger", *same).out
    assert "the runs were given different numbers" in cli("ledger", *other).out
    out = tmp_path / "ledger.json"
    text = cli("ledger", *other, "--carbon-g-per-kwh", "50 (a contract)", "--out", out).out
    assert "50 g CO2e/kWh (a contract)" in text
    assert "different numbers" not in text
    given = json.loads(out.read_text(encoding="utf-8"))["footprint"]["given"]
    assert given == [{"amount": 50.0, "unit": "g CO2e", "source": "a contract"}]
