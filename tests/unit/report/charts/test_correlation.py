"""A group's metrics against joules: points, scales and the report's numbers."""

import pytest

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.report import view
from pytest_energy.report.charts import correlation
from pytest_energy.report.charts.spec import Chart, Marks
from tests.builders import judgement
from tests.fakes.sessions import gpu_session
from tests.unit.report.charts.layers import layer


def model_test(
    name: str, energy_j: float | None, group: str = "training", **metrics: float | None
) -> Judgement:
    return judgement(
        test_id=f"t.py::test_{group}[{name}]",
        energy_j=energy_j,
        verdict=Verdict.PASS if energy_j is not None else Verdict.UNMEASURED,
        group=group,
        model=name,
        metrics=metrics,
        absent={metric: "nobody counted" for metric, value in metrics.items() if value is None},
    )


def charts(*judgements: Judgement) -> tuple[Chart, ...]:
    return correlation.charts(view.of(judgements).groups[0])


def notes(*judgements: Judgement) -> tuple[str, ...]:
    return correlation.notes(view.of(judgements).groups[0])


def six_models() -> list[Judgement]:
    """Six models, energy rising with MACs a parameter, over two decades of joules."""
    return [
        model_test(f"net{n}", 16.0 * 3**n, parameters=1e6 + n, macs_param=10.0 * 2**n, accuracy=None)
        for n in range(6)
    ]


def test_a_chart_a_metric_with_the_reports_numbers() -> None:
    """Points are those of the report's table, the caption its cells, the paper's values beside them."""
    parameters, macs = charts(*six_models())
    assert (parameters.title, macs.title) == ("parameters", "MACs per parameter")
    rows = view.of(six_models()).groups[0].rows
    places = tuple((row.metrics["macs_param"], row.energy_per_sample_j) for row in rows)
    assert layer(macs, Marks).points == places
    assert macs.names == tuple(zip(places, [f"net{n}" for n in range(6)], strict=True))
    rho, paper = macs.caption
    assert rho.startswith("rho +1.000, n = 6, p = 0.003, 95 % [")
    assert paper == "paper: +0.902 HC-1, +0.915 HC-2, +0.853 HC-3"
    assert (macs.x.label, macs.y.label) == ("MACs per parameter", "energy per sample (J)")
    assert layer(macs, Marks).titles[1] == "net1: MACs per parameter 20.00, 3 J"


def test_wide_ranges_are_logarithmic() -> None:
    """An axis is logarithmic where its values span more than a decade, linear where they don't."""
    parameters, macs = charts(*six_models())
    assert [(chart.x.is_log, chart.y.is_log) for chart in (parameters, macs)] == [
        (False, True),
        (True, True),
    ]


def test_a_metric_of_fewer_than_two_models_has_no_chart() -> None:
    """It is named below, with why; joules a sample themselves are on every upright axis."""
    assert "Left out, values of fewer than two models: accuracy (nobody counted)." in notes(*six_models())
    (metric,) = charts(
        model_test("a", 16.0, energy_per_sample=1.0, m=1.0),
        model_test("b", 32.0, energy_per_sample=2.0, m=2.0),
    )
    assert metric.title == "m"


def test_what_has_no_joules_is_no_point() -> None:
    """A model without joules is absent with its name and reason, never at 0."""
    tests = [model_test("a", 16.0, m=1.0), model_test("b", 32.0, m=2.0), model_test("c", None, m=3.0)]
    (chart,) = charts(*tests)
    assert layer(chart, Marks).points == ((1.0, 1.0), (2.0, 2.0))
    assert chart.caption[0].startswith("rho +1.000, n = 2")
    assert "Without joules, so without a point: c." in notes(*tests)
    absences = [
        note for note in notes(*tests) if note.startswith("energy per sample is missing for some models")
    ]
    assert absences == ["energy per sample is missing for some models: no sensor on this machine."]


def test_a_group_that_the_paper_lacks() -> None:
    """No line of the paper's where it has no such group; a request is no sample."""
    (own,) = charts(model_test("a", 16.0, "own", m=1.0), model_test("b", 32.0, "own", m=2.0))
    assert len(own.caption) == 1
    (load,) = charts(model_test("a", 16.0, "requests", m=1.0), model_test("b", 32.0, "requests", m=2.0))
    assert load.y.label == "energy per request (J)"


@pytest.mark.parametrize(
    ("provenance", "label"),
    [
        (Provenance.ESTIMATED, "estimated energy per sample (mJ)"),
        (Provenance.REPLAYED, "replayed energy per sample (mJ)"),
    ],
)
def test_joules_that_were_not_measured_are_called_so(provenance: Provenance, label: str) -> None:
    """The axis itself says it."""
    (chart,) = charts(
        *(
            judgement(
                test_id=f"t.py::t[{n}]", group="g", model=str(n), metrics={"m": n}, provenance=provenance
            )
            for n in (1.0, 2.0)
        )
    )
    assert chart.y.label == label


def test_a_page_has_three_charts_a_row() -> None:
    """Fewer stand on a narrower page; heading and notes are those of the group alone."""
    run = view.of(gpu_session())
    sheet = correlation.sheet(run, run.groups[0])
    assert sheet.columns == 3
    assert sheet.title == "training: energy against each metric"
    assert sheet.notes[-1] == "A name with no room beside its point is left out."
    two = view.of(six_models())
    assert correlation.sheet(two, two.groups[0]).columns == 2


def test_chosen_metrics_alone() -> None:
    """One panel, titled by its metric; without the paper's values where they are not wanted."""
    group = view.of(six_models()).groups[0]
    (macs,) = correlation.charts(group, correlation.Choice(metrics=("macs_param",), has_paper=False))
    assert macs.title == "MACs per parameter"
    assert len(macs.caption) == 1
    sheet = correlation.sheet(view.of(six_models()), group, correlation.Choice(metrics=("macs_param",)))
    assert sheet.title == "training: energy against MACs per parameter"
    assert len(sheet.charts[0].caption) == 2


def test_rows_of_one_model_are_named_apart() -> None:
    """Four rates of one model are four names."""
    rates = [model_test("8b", 16.0 / rate, "requests", request_rate=rate, m=rate) for rate in (1.0, 2.0, 4.0)]
    group = view.of(rates).groups[0]
    assert [row.label for row in group.rows] == ["8b@1/s", "8b@2/s", "8b@4/s"]
    assert [name for _, name in correlation.charts(group)[0].names] == ["8b@1/s", "8b@2/s", "8b@4/s"]
    named = [model_test(f"8b@{size}", 1.0 * size, "batch", batch_size=float(size)) for size in (4, 8)]
    assert [row.label for row in view.of(named).groups[0].rows] == ["8b@4", "8b@8"]
