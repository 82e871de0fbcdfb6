"""Carbon and cost in each report: estimates by what the user gave, and nothing where nothing was given."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.errors import FormatError
from pytest_energy.judgement import Verdict
from pytest_energy.model import Provenance, Record
from pytest_energy.report import footprint, to_html, to_json, to_markdown, to_terminal, view
from pytest_energy.report.view import View
from pytest_energy.tariff import Tariff, carbon, price
from tests.builders import CREATED, judgement, reading, record
from tests.fakes.sessions import gpu_session
from tests.unit.cli.conftest import Cli
from tests.unit.cli.conftest import cli as cli  # noqa: PLC0414  # a fixture

BOTH = Tariff(carbon=carbon("360 (a grid)"), price=price("0.36 EUR"))


def of_records(*records: Record, tariff: Tariff | None = BOTH) -> View:
    return view.of([replace(judgement(), record=one) for one in records], tariff=tariff)


def document(run: View) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(to_json.render(run, created=CREATED))
    return read


# totals


def test_a_total_is_of_the_rounds_that_count() -> None:
    """All rounds with joules of all tests with joules; a void round and a void test add nothing."""
    rounds = [reading(10.0), reading(20.0), replace(reading(500.0), void_because="thermal slowdown")]
    (total,) = footprint.totals(
        of_records(record(rounds=rounds), record(4.0, 6.0), record(9.0, void_because="a counter stood still"))
    )
    assert (total.energy_j, total.round_count, total.test_count) == (40.0, 4, 2)


def test_joules_of_different_provenance_or_machine_never_meet() -> None:
    """Each has a total of its own."""
    found = footprint.totals(
        of_records(
            record(10.0), record(20.0, provenance=Provenance.ESTIMATED), record(30.0, key="t4"), record(1.0)
        )
    )
    assert [(one.provenance.value, one.machine_key, one.energy_j) for one in found] == [
        ("measured", record().machine.key, 11.0),
        ("estimated", record().machine.key, 20.0),
        ("measured", "t4", 30.0),
    ]


def test_a_line_has_the_number_first_and_what_it_is_made_of() -> None:
    """Amounts, that they are estimated, the joules with their hardware and provenance, and what was given."""
    (line,) = footprint.total_lines(of_records(record(10.0, 26.0)))
    assert line == (
        "3.6 mg CO2e, 3.60e-06 EUR, estimated from 36 J (GPU, measured) of 2 rounds of 1 test, "
        "at 360 g CO2e/kWh (a grid), 0.36 EUR/kWh (source not given)"
    )


def test_a_total_of_another_machine_names_it() -> None:
    """The first one is the report's own."""
    first, second = footprint.total_lines(of_records(record(10.0), record(10.0, key="t4")))
    assert " on " not in first
    assert "of 1 round of 1 test on t4, at " in second


def test_what_was_not_measured_is_not_included() -> None:
    """Of the domains those without joules are named, beside what no sensor here can measure."""
    both = record(rounds=[reading(channels={"gpu:0": 1.0, "dram:package-0": 1.0})])
    assert footprint.scope_line(of_records(both)).startswith("Not included: CPU, the rest of the machine, ")
    assert footprint.scope_line(of_records(record(1.0))).startswith("Not included: CPU, DRAM, the rest ")


def test_without_joules_there_is_no_amount() -> None:
    """The line says so, and no number is shown, not even 0."""
    run = of_records(record(9.0, void_because="a counter stood still"))
    assert footprint.total_lines(run) == ["no test has joules to calculate from"]
    assert footprint.test_lines(run) == []
    assert footprint.values(BOTH, run.rows[0].record) == ["-"] * 5
    assert document(run)["footprint"]["totals"] == []
    assert document(run)["footprint"]["tests"] == []


# tests


def test_a_test_has_the_amount_of_a_round_and_of_a_sample() -> None:
    """Of the mean of its rounds; without a number of samples only of a round."""
    lines = footprint.test_lines(
        of_records(record(10.0, 26.0, samples=2), record(36.0, test_id="t.py::test_b"))
    )
    assert lines == [
        "test_training[resnet18]: 1.8 mg CO2e, 1.80e-06 EUR a round; 900 ug CO2e, 9.00e-07 EUR a sample",
        "test_b: 3.6 mg CO2e, 3.60e-06 EUR a round",
    ]


def test_an_amount_has_the_mark_of_its_joules() -> None:
    """What comes from an estimate is never taken for one from measured joules."""
    estimated = record(36.0, samples=1, provenance=Provenance.ESTIMATED)
    assert footprint.values(BOTH, estimated) == [
        *("~36 J", "~3.6 mg CO2e", "~3.60e-06 EUR", "~3.6 mg CO2e", "~3.60e-06 EUR"),
    ]
    assert "a round" in (line := footprint.test_lines(of_records(estimated))[0])
    assert line.count("~") == 4


@pytest.mark.parametrize(
    ("tariff", "title", "heads"),
    [
        (BOTH, "Carbon and cost", ("energy", "carbon", "cost", "carbon/sample", "cost/sample")),
        (Tariff(carbon=BOTH.carbon), "Carbon", ("energy", "carbon", "carbon/sample")),
        (Tariff(price=BOTH.price), "Cost", ("energy", "cost", "cost/sample")),
    ],
)
def test_only_what_was_given_is_shown(tariff: Tariff, title: str, heads: Sequence[str]) -> None:
    """No column and no number for the other."""
    assert footprint.title(tariff) == title
    assert footprint.heads(tariff) == heads
    assert len(footprint.values(tariff, record(samples=1))) == len(heads)


# reports


def test_nothing_is_shown_by_default() -> None:
    """There is no default intensity or price, so a report without them says nothing of carbon or cost."""
    run = view.of(gpu_session())
    texts = [
        to_terminal.render(run, width=100),
        to_terminal.render(run, width=100, is_full=False),
        to_markdown.render(run),
        to_html.render(run, created=CREATED),
        to_json.render(run, created=CREATED),
    ]
    for text in texts:
        assert "CO2e" not in text
        assert "footprint" not in text


def test_every_report_shows_the_total_with_what_was_given() -> None:
    """The short summary, the whole one, Markdown and HTML: amount, `estimated`, intensity, source."""
    run = view.of(gpu_session(), tariff=BOTH)
    texts = [
        to_terminal.render(run, width=200),
        to_terminal.render(run, width=200, is_full=False),
        to_markdown.render(run),
        to_html.render(run, created=CREATED),
    ]
    (line,) = footprint.total_lines(run)
    for text in texts:
        assert line in text
        assert "estimated from" in text


def test_the_page_has_a_row_for_each_test() -> None:
    """Tests without joules have `-`."""
    run = of_records(record(36.0), record(9.0, test_id="t.py::test_b", void_because="a counter stood still"))
    page = to_html.render(run, created=CREATED)
    section = page[page.index('<section id="footprint"') : page.index('<section id="behind"')]
    assert "<td>3.6 mg CO2e</td>" in section
    assert section.count("<tr>") == 3  # one of them the head
    assert '<a href="#footprint">' in page


def test_the_page_counts_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its most rows."""
    monkeypatch.setattr("pytest_energy.report.html.tables.MOST_MODELS", 1)
    page = to_html.render(of_records(record(36.0), record(1.0, test_id="t.py::test_b")), created=CREATED)
    assert "1 more tests are in the run" in page


@pytest.mark.parametrize("hostile", ["</script><script>alert(1)</script>", "<!--", "\x1b[31m"])
def test_a_source_is_only_ever_text(hostile: str) -> None:
    """It may come from a file of anyone."""
    run = view.of(gpu_session(), tariff=Tariff(carbon=replace(carbon("1"), source=hostile)))
    assert hostile not in to_html.render(run, created=CREATED)
    assert "\x1b" not in to_terminal.render(run, width=100)
    assert "<script>" not in to_markdown.render(run)


def test_a_comment_keeps_its_limit_whatever_the_source() -> None:
    """A source as long as a file allows takes no more than its place."""
    many = [
        judgement(verdict=Verdict.REGRESSION, test_id=f"t.py::test_{'x' * 60}[{number}]", reason="r" * 300)
        for number in range(2_000)
    ]
    run = view.of(many, tariff=Tariff(carbon=replace(carbon("1"), source="<&" * 20_000)))
    assert len(to_markdown.render(run)) <= to_markdown.LIMIT


# JSON


def test_the_document_has_what_was_given_the_totals_and_each_test() -> None:
    """Numbers with their units in the names, and what is not included in words."""
    run = of_records(record(10.0, 26.0, samples=2))
    assert document(run)["footprint"] == {
        "carbon": {"amount": 360.0, "unit": "g CO2e", "source": "a grid"},
        "price": {"amount": 0.36, "unit": "EUR"},
        "note": footprint.scope_line(run),
        "totals": [
            {
                "provenance": "measured",
                "machine_key": record().machine.key,
                "domains": ["gpu"],
                "test_count": 1,
                "round_count": 2,
                "energy_j": 36.0,
                "carbon_g": pytest.approx(0.0036),
                "cost": pytest.approx(3.6e-6),
            }
        ],
        "tests": [
            {
                "id": record().test_id,
                "carbon_g": pytest.approx(0.0018),
                "cost": pytest.approx(1.8e-6),
                "carbon_g_per_sample": pytest.approx(0.0009),
                "cost_per_sample": pytest.approx(9e-7),
            }
        ],
    }


@pytest.mark.parametrize("tariff", [BOTH, Tariff(carbon=BOTH.carbon), Tariff(price=BOTH.price)])
def test_what_was_written_is_read_again(tariff: Tariff) -> None:
    """The tariff is that of the run, so that every report can be made of its JSON."""
    run = view.of(gpu_session(), tariff=tariff)
    assert to_json.read(to_json.render(run, created=CREATED), "run.json") == run


def test_amounts_of_a_file_are_calculated_anew() -> None:
    """What somebody wrote into the totals changes nothing."""
    written = document(of_records(record(36.0)))
    written["footprint"]["totals"] = [{"carbon_g": 1e9}]
    assert to_json.read(json.dumps(written), "run.json") == of_records(record(36.0))


@pytest.mark.parametrize(
    ("key", "given", "text"),
    [
        ("carbon", {"amount": -1.0, "unit": "g CO2e"}, "carbon: amount is -1.0; it is from 0 to 1e+06"),
        ("carbon", {"amount": 1e9, "unit": "g CO2e"}, "carbon: amount is 1000000000.0"),
        ("carbon", {"amount": 1.0, "unit": "kg"}, "carbon: unit is 'kg'"),
        ("price", {"amount": 1.0, "unit": "g CO2e"}, "price: unit is 'g CO2e'"),
        ("price", {"amount": 1.0, "unit": "\x1b[3"}, "price: unit is"),
        ("price", {"unit": "EUR"}, "amount"),
        ("price", 5, "price"),
    ],
)
def test_a_file_with_what_no_option_takes_is_refused(key: str, given: object, text: str) -> None:
    """With the place and the value."""
    written = document(of_records(record(36.0)))
    written["footprint"][key] = given
    with pytest.raises(FormatError, match=r"^run\.json: footprint") as caught:
        to_json.read(json.dumps(written), "run.json")
    assert text in str(caught.value)


def test_a_judgement_has_no_footprint() -> None:
    """Verdicts and baselines don't depend on it: a test's entry is the same with and without."""
    tests = [document(of_records(record(36.0), tariff=tariff))["tests"] for tariff in (None, BOTH)]
    assert tests[0] == tests[1]


def test_a_run_that_is_judged_again_keeps_what_it_was_given(cli: Cli, tmp_path: Path) -> None:
    """On the screen, as JSON and in the files."""
    run = of_records(record(36.0))
    path = tmp_path / "run.json"
    path.write_text(to_json.render(run, created=CREATED), encoding="utf-8")
    _, out, _ = cli("judge", path, "--json", f"--out={tmp_path / 'again.json'}")
    for text in (out[: out.rindex("}") + 1], (tmp_path / "again.json").read_text(encoding="utf-8")):
        assert to_json.read(text, "again.json").tariff == BOTH
