"""A study as text, Markdown, page, JSON and figures."""

import json
import re
from dataclasses import replace

import pytest

from pytest_energy.report.charts.spec import Marks
from pytest_energy.report.plots.page import LIGHT, Look
from pytest_energy.report.plots.painter import draw, styled
from pytest_energy.study import document, figures, page, texts
from pytest_energy.study.study import Study, study_of
from tests.builders import CREATED, H100, LAPTOP, judgement
from tests.unit.study.conftest import SMALL_AND_LARGE, nets, requests, run

WIDEST = 100


def sizes(*, machine_key: str = H100.key) -> tuple[object, ...]:
    machine = replace(H100, key=machine_key)
    return tuple(
        judgement(
            test_id=f"t.py::test_batch_size[vgg-{size}]",
            group="batch",
            model=f"vgg@{size}",
            samples=1,
            energy_j=energy_j,
            metrics={"batch_size": float(size)},
            machine=machine,
        )
        for size, energy_j in ((4, 9.0), (16, 3.0), (64, 3.1))
    )


@pytest.fixture(scope="module")
def five() -> Study:
    """Five machines, one of them estimated, with networks, batch sizes and rates."""
    machines = [replace(H100, key=f"machine-{number}_xeon-8480_nvml") for number in range(4)]
    rates = {
        "served-model": {1.0: 138.0, 4.0: 43.0, 16.0: 13.0, 64.0: 3.7},
        "served-larger-model": {1.0: 225.0, 4.0: 92.0, 16.0: 26.0, 64.0: 8.0},
    }
    runs = [
        run(
            f"{machine.key}.json",
            *nets([1.0 + number, 2.0, 3.5, 3.0, 5.0, 6.0], machine=machine),
            *requests(rates, machine=machine),
            *sizes(machine_key=machine.key),  # type: ignore[arg-type]
        )
        for number, machine in enumerate(machines)
    ]
    return study_of([*runs, run("laptop.json", *nets([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], machine=LAPTOP))])


def test_markdown_fits_in_100_columns(five: Study) -> None:
    """Every line of every table, with five machines."""
    lines = [line for line in texts.markdown(five).splitlines() if line.startswith("|")]
    assert len(lines) > 60
    assert max(map(len, lines)) <= WIDEST


def test_more_machines_are_another_table() -> None:
    """Of seven, the sixth and seventh are below, with every row."""
    machines = [replace(H100, key=f"machine-{number}") for number in range(7)]
    study = study_of([run(one.key, *nets([1.0, 2.0], machine=one)) for one in machines])
    text = texts.markdown(study)
    assert re.search(r"\| model +\| +HC-6 \| +HC-7 \|", text)
    assert max(len(line) for line in text.splitlines() if line.startswith("|")) <= WIDEST


def test_cells_of_markdown_line_up(five: Study) -> None:
    """Each table is a rectangle whose columns have equal widths."""
    for block in texts.markdown(five).split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(line) for line in lines}) <= 1
        assert len({line.count("|") for line in lines}) <= 1


def test_every_rho_is_in_a_fold(five: Study) -> None:
    """With its n, interval and p; a metric's name is code."""
    fold = texts.markdown(five).partition("inference: every rho with its interval</summary>")[2]
    assert re.search(
        r"`macs_param` +\| +HC-1 \| +gross \| +6 \| \+0\.943 \| \[\+?-?[\d.]+, \+1\.00\] \| 0\.017", fold
    )
    assert "<details>" in texts.markdown(five)
    assert "every rho" not in "\n".join(texts.terminal(five))


def test_estimates_are_marked(five: Study) -> None:
    """In their cells, with what the mark means."""
    text = "\n".join(texts.terminal(five))
    assert re.search(r"lenet .*~6 J", text)
    assert "~ estimated, not measured" in text


def test_absent_is_not_zero(five: Study) -> None:
    """A machine without a row has `-`, and kinds of joules that are missing have their reason."""
    text = texts.markdown(five)
    assert re.search(r"`served-model 1/s` +\| +138 J .*\|", text)
    assert "active joules missing in HC-1, HC-2, HC-3, HC-4: ready power is not known" in text.replace(
        "\\", ""
    )


def test_discriminative_is_beside_generative(five: Study) -> None:
    """Net joules of an image and of a request, in one table."""
    text = texts.markdown(five).partition("Discriminative beside generative")[2]
    assert "E_tr HC-1 | E_in HC-1" in text
    assert re.search(r"`lenet` +\| +- \|", text)
    assert re.search(r"`served-model 1/s` +\| +- \| +136 J", text)


def test_the_best_batch_size_is_shown(five: Study) -> None:
    """With the sizes that may be the best, on each machine."""
    table = texts.markdown(five).partition("The best batch size")[2].partition("##")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `vgg` ")]
    assert len(rows) == 4
    assert all(re.search(r"\| +16 \| +16 to 64 \| +3 J \| +2\.6 to 3\.4 J \|", row) for row in rows)


def test_the_fit_over_rates_is_shown(five: Study) -> None:
    """Joules at the lowest and the highest rate, and the power that requests share."""
    text = "\n".join(texts.terminal(five))
    assert re.search(r"served-model +HC-1 +1 to 64 +138 J +3\.7 J +1\d\d", text)


def test_foreign_names_make_no_markup() -> None:
    """A model's name is code, a file's name is a sentence."""
    name = "a|b<script>`x`"
    made = judgement(group="g", model=name, energy_j=1.0)
    study = study_of([run("<b>.json", made)])
    assert "<script>" not in texts.markdown(study)
    assert "<b>" not in texts.markdown(study)
    html = page.render(study, created=CREATED)
    assert "<script>`" not in html
    assert "<b>.json" not in html


def test_the_page_needs_no_network_and_no_script(five: Study) -> None:
    """Tables, folds and charts; nothing is loaded."""
    html = page.render(five, created=CREATED)
    assert html.count("<table") > 10
    assert "<svg" in html
    assert "<script" not in html
    assert not re.search(r'(src|href)="(?!#)', html)


def test_json_holds_what_tables_hold(five: Study) -> None:
    """Columns, rows with reasons, rhos, transfers and curves; absent is null."""
    read = json.loads(document.render(five, created=CREATED))
    assert [one["label"] for one in read["columns"]] == list(five.labels)
    lenet = next(row for row in read["rows"] if row["model"] == "lenet")
    assert lenet["cells"]["HC-1"]["gross_j"] == 1.0
    assert lenet["cells"]["HC-1"]["active_j"] is None
    assert "ready power" in lenet["cells"]["HC-1"]["absent"]["active"]
    assert len(read["rhos"]) == len(five.rhos)
    assert {"rho", "tau", "median_ratio"} <= read["transfers"][0].keys()
    assert read["batch_sizes"][0]["best"] == 16
    assert len(read["request_rates"][0]["points"]) == 4


def test_every_figure_can_be_drawn(five: Study) -> None:
    """Rhos and transfers of each group, batch sizes and rates."""
    plans = figures.plans_of(five)
    assert [plan.stem for plan in plans] == [
        "study-rho-inference",
        "study-rho-requests",
        "study-rho-batch",
        "study-transfer-inference",
        "study-transfer-requests",
        "study-transfer-batch",
        "study-batch-size",
        "study-request-rate",
    ]
    for plan in (plans[0], plans[3], plans[7]):
        with styled(LIGHT):
            assert draw(plan.sheet(), Look(theme=LIGHT)).get_axes()


def test_columns_differ_in_more_than_colour(five: Study) -> None:
    """Form and fill of the marks of one chart are different for each column."""
    chart = figures.rho_sheet(five, five.groups[0]).charts[0]
    looks = [(one.form, one.is_hollow) for one in chart.layers if isinstance(one, Marks)]
    assert len({*looks[:6]}) == 6


def test_one_machine_has_no_pooled_column() -> None:
    """Its own rho is what a pool of one would be."""
    text = texts.markdown(study_of([run("a", *requests(SMALL_AND_LARGE))]))
    heads = next(line for line in text.splitlines() if line.startswith("| metric"))
    assert heads.split("|")[2:-1] == [heads.split("|")[2]]


def test_a_rho_of_few_rows_is_not_in_the_summary() -> None:
    """Two rows always have a rho of 1: it is in the list of every rho, with its n."""
    text = texts.markdown(study_of([run("a", *nets([1.0, 2.0, 3.0]))]))
    summary, _, fold = text.partition("every rho with its interval")
    assert re.search(r"`macs_param` +\| +- \|", summary)
    assert "Fewer than 5 rows are not shown here: HC-1." in summary
    assert re.search(r"`macs_param` +\| +HC-1 \| +gross \| +3 \| \+1\.000", fold)


def test_metrics_of_a_round_are_not_mixed_in_silence() -> None:
    """work_done of two runs in one column: a note says when it can be compared."""
    runs = [
        run(
            f"{n}.json",
            judgement(test_id=f"t[{n}]", group="g", model=f"m{n}", energy_j=n, metrics={"work_done": n}),
        )
        for n in (1.0, 2.0)
    ]
    note = "HC-1 joins 2 runs: overall_efficiency, work_done, work_per_unit_power compare models only if"
    assert note in "\n".join(texts.terminal(study_of(runs)))
    assert "joins" not in "\n".join(texts.terminal(study_of(runs, by="run")))


def test_a_key_says_that_joules_are_estimated(five: Study) -> None:
    """In a chart of several machines the axis can't say it for one of them."""
    chart = figures.rho_sheet(five, five.groups[0]).charts[0]
    keys = [one.key for one in chart.layers if isinstance(one, Marks)]
    assert [key for key in keys if key.endswith(", estimated")] == [
        "HC-5: 12th Gen Intel Core i7-1260P, estimated"
    ]


def test_rows_of_each_kind_of_joules_are_counted(five: Study) -> None:
    """Four machines have no active joules here: a rho of fewer rows is not compared in silence."""
    assert "Rows: gross 30, net 30, active 6." in "\n".join(texts.terminal(five))


def test_saturated_rows_are_named() -> None:
    """They are ranked like the others, and a note says which they are."""
    made = requests(SMALL_AND_LARGE)
    last = replace(made[-1], record=replace(made[-1].record, saturated_because="it fell behind"))
    text = "\n".join(texts.terminal(study_of([run("a", *made[:-1], last)])))
    assert "saturated on HC-1: 8B 128/s" in text
