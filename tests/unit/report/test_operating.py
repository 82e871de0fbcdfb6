"""A test with `energy.sweep` in the reports: its line, and its figure."""

from dataclasses import replace

from pytest_energy.judgement import Judgement
from pytest_energy.report import batch, catalogue, operating, to_markdown, to_terminal, view
from pytest_energy.report.charts import batch_size
from pytest_energy.report.charts.spec import Marks
from tests.builders import judgement
from tests.unit.report.charts.layers import layer

ENERGIES_J = {"4": 2.0, "8": 1.0, "16": 0.5}


def swept(
    values: str = "4, 8, 16, 64", *, excess: float | None = 2.0, limit_s: float | None = 0.05
) -> Judgement:
    """The default is 4; a call at 16 takes 0.2 s, at the others less; 64 does not fit."""
    metrics: dict[str, float | None] = {"sweep_excess": excess}
    if limit_s is not None:
        metrics["sweep_most_latency_s"] = limit_s
    metrics |= {f"sweep_excess_{end}": excess for end in ("lower", "upper")}
    for name, energy_j in ENERGIES_J.items():
        start, latency_s = f"sweep_at_{name}", 0.2 if name == "16" else 0.01
        metrics |= {f"{start}_energy_per_sample": energy_j, f"{start}_samples": float(name)}
        metrics |= {f"{start}_energy_per_sample_lower": 0.9 * energy_j}
        metrics |= {f"{start}_energy_per_sample_upper": 1.1 * energy_j}
        metrics |= {f"{start}_duration_s": latency_s, f"{start}_latency_s": latency_s}
        metrics |= {f"{start}_fastest_s": latency_s / 2}
    absent = {"sweep_at_64_energy_per_sample": "out of memory: 8 GiB"}
    if excess is None:
        absent |= {"sweep_excess": "4, the default: void"}
    one = judgement(test_id="t.py::test_batch", model="net", metrics=metrics, absent=absent)
    settings = {"sweep": "batch size", "sweep_values": values, "sweep_default": "4"}
    return replace(one, record=replace(one.record, engine_settings=settings))


def test_the_line_has_best_and_default() -> None:
    """The best within the limit, the default with its interval, and what did not fit."""
    (line,) = operating.lines(view.of([swept()]))
    assert line == (
        "test_batch: best batch size within 50 ms 8, 1 J per sample; default 4: +100.0 % energy "
        "[+100.0, +100.0]; 64: out of memory: 8 GiB"
    )


def test_the_line_names_what_is_missing() -> None:
    """No best without a setting within the limit; no excess without joules of the default."""
    (none,) = operating.lines(view.of([swept(limit_s=0.001)]))
    assert "no best batch size within 1 ms" in none
    (unknown,) = operating.lines(view.of([swept(excess=None)]))
    assert "default 4, not compared: 4, the default: void" in unknown
    assert operating.lines(view.of([judgement()])) == []


def test_reports_have_the_line() -> None:
    """On a terminal, short and full, and in Markdown."""
    run = view.of([swept()])
    for text in (
        to_terminal.render(run, width=160, is_full=False),
        to_terminal.render(run, width=160),
        to_markdown.render(run),
    ):
        assert "best batch size within 50 ms 8, 1 J per sample" in text


def test_the_figure_is_that_of_a_batch_sweep() -> None:
    """Its best keeps the limit; what is above the limit, or did not fit, is in a note."""
    (sweep,) = batch.sweeps(view.of([swept()]))
    assert [size.batch_size for size in sweep.sizes] == [4, 8, 16]
    assert batch.best(sweep.sizes).batch_size == 8
    assert batch.may_be_best(sweep.sizes) == (8, 8)
    assert [(one.batch_size, one.is_out_of_memory) for one in sweep.lost] == [(64, True)]
    energy, speed = batch_size.charts(sweep)
    assert layer(energy, Marks, "best: 8").points == ((8.0, 1.0),)
    assert layer(speed, Marks).bars[0] == (400.0, 800.0)
    assert "Above the latency limit: 16." in batch_size.notes(sweep)
    plans, _ = catalogue.plans(view.of([swept()]))
    assert [plan.stem for plan in plans] == ["batch-size-net"]


def test_names_have_no_figure() -> None:
    """An axis of doublings has no place for them."""
    assert batch.sweeps(view.of([swept("4, bf16")])) == ()


def test_its_metrics_are_no_columns() -> None:
    """Figures of single settings, and of the sweep, rank no models."""
    one = swept()
    grouped = replace(one, record=replace(one.record, group="own"))
    (group,) = view.of([grouped]).groups
    assert not [name for name in group.metrics if name.startswith("sweep_")]
