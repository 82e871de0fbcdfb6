"""Energy of a prompt token and of a decoded one, load by load."""

from dataclasses import replace

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.report import to_html, view
from pytest_energy.report.catalogue import plans
from pytest_energy.report.charts import token_cost
from pytest_energy.report.charts.spec import Marks
from pytest_energy.report.token_costs import TokenCosts, token_costs
from tests.builders import CREATED, judgement
from tests.unit.report.charts.layers import keys, layer

UNSEPARATED = "prefill and decode changed together in the 120 spans"


def served(
    rate: float | None,
    prefill_j: float | None,
    decode_j: float = 0.2,
    *,
    has_steps: bool = True,
    case: str = "",
    because: str = UNSEPARATED,
) -> Judgement:
    """A load of a model with joules of a token of each phase, both known to 5 %."""
    name = "energy_per_prefill_token"
    metrics: dict[str, float | None] = {"request_rate": rate, name: prefill_j}
    if prefill_j is not None:
        metrics |= {
            f"{name}_uncertainty": 0.05 * prefill_j or 0.001,
            "energy_per_decode_token": decode_j,
            "energy_per_decode_token_uncertainty": 0.05 * decode_j,
        }
    if has_steps:
        metrics["energy_per_step"] = 1.0
    return judgement(
        test_id=f"t.py::test_load[{case or rate}]",
        model="llama-8b",
        group="requests",
        metrics=metrics,
        absent={} if prefill_j is not None else {name: because},
    )


def costs_of(*judgements: Judgement) -> TokenCosts:
    (only,) = token_costs(view.of(judgements))
    return only


def test_a_row_per_load_by_its_rate() -> None:
    """Lowest rate first; prefill above decode in each, both with 95 % intervals on a logarithmic axis."""
    chart = token_cost.chart(costs_of(served(16.0, 0.01, 0.2), served(1.0, 0.012, 0.8)))
    assert [text for _, text in chart.y.ticks] == ["1/s", "16/s"]
    prefill, decode = layer(chart, Marks, "prefill"), layer(chart, Marks, "decode")
    assert prefill.points == ((0.012, -0.14), (0.01, 0.86))
    assert [energy_j for energy_j, _ in decode.points] == [0.8, 0.2]
    assert decode.bars[1] == pytest.approx((0.2 - 1.96 * 0.01, 0.2 + 1.96 * 0.01))
    assert prefill.form != decode.form
    assert chart.x.is_log
    assert chart.x.label == "energy per token (mJ)"


def test_an_estimate_is_hollow_and_called_so() -> None:
    """Of an engine that does not report its steps: in the key and in the notes."""
    costs = costs_of(served(1.0, 0.012), served(4.0, 0.011, has_steps=False))
    chart = token_cost.chart(costs)
    assert keys(chart) == [
        "prefill, 95 % interval",
        "prefill, 95 % interval, estimate",
        "decode, 95 % interval",
        "decode, 95 % interval, estimate",
    ]
    assert layer(chart, Marks, "decode, 95 % interval, estimate").is_hollow
    assert "Estimates are from the times of tokens: that engine does not report its steps." in (
        token_cost.notes(costs)
    )


def test_a_load_that_is_not_separated_has_a_sentence_and_no_mark() -> None:
    """The reason is the one of the record."""
    costs = costs_of(served(1.0, 0.012), served(4.0, None))
    assert [row.name for row in costs.rows] == ["1/s"]
    assert f"Not separated: 4/s ({UNSEPARATED})." in token_cost.notes(costs)


def test_a_phase_without_joules_above_rest_is_not_drawn_as_small() -> None:
    """A fitted cost may be 0: it has no place on a logarithmic axis, and its upper end is in a note."""
    costs = costs_of(served(1.0, 0.0), served(4.0, 0.01))
    assert len(layer(token_cost.chart(costs), Marks, "prefill").points) == 1
    assert "No joules above rest: prefill of 1/s, at most 1.96 mJ." in token_cost.notes(costs)


def test_loads_of_one_rate_have_the_names_of_their_tests() -> None:
    """A rate that two loads share names neither: rows have numbers, and the names are beside the marks."""
    chart = token_cost.chart(costs_of(served(4.0, 0.01, case="short"), served(4.0, 0.02, case="long")))
    assert [text for _, text in chart.y.ticks] == ["1", "2"]
    assert [name for _, name in chart.names] == ["short", "long"]
    assert chart.names[0][0] == layer(chart, Marks, "decode").points[0]


def test_runs_without_a_load_have_no_figure() -> None:
    """Two models are two figures; a test without phases is in none."""
    other = served(1.0, 0.001)
    other = replace(other, record=replace(other.record, model="llama-1b"))
    assert token_costs(view.of([judgement()])) == ()
    models = [one.model for one in token_costs(view.of([served(1.0, 0.01), other, judgement()]))]
    assert models == ["llama-8b", "llama-1b"]


def test_a_run_has_the_figure_as_a_file_and_on_its_page() -> None:
    """A model of which no load is separated has a sentence in place of the file."""
    run = view.of([served(1.0, 0.012), served(4.0, 0.01)])
    assert "token-energy-llama-8b" in [plan.stem for plan in plans(run)[0]]
    assert '<section id="tokens"' in to_html.render(run, created=CREATED)
    lost = view.of([served(1.0, None)])
    assert f"llama-8b: no figure of prefill and decode: {UNSEPARATED}" in plans(lost)[1]
    assert '<section id="tokens"' not in to_html.render(lost, created=CREATED)
