"""Joules and speed over the batch size, as the charts show them."""

import pytest

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.report import batch, view
from pytest_energy.report.charts import batch_size
from pytest_energy.report.charts.spec import Chart, Crosses, Line, Marks, Rule
from tests.builders import judgement
from tests.unit.report.charts.layers import keys, layer


def swept(model: str, size: int, energy_j: float | None, **more: object) -> Judgement:
    """A test of 10 samples."""
    facts: dict[str, object] = {"verdict": Verdict.PASS if energy_j is not None else Verdict.UNMEASURED}
    return judgement(
        test_id=f"b.py::test_batch_size[{model}-{size}]",
        energy_j=energy_j,
        samples=10,
        group="batch",
        model=f"{model}@{size}",
        **(facts | more),  # type: ignore[arg-type]  # its own words
    )


def charts(*judgements: Judgement) -> tuple[Chart, ...]:
    return batch_size.charts(batch.sweeps(view.of(judgements))[0])


def notes(*judgements: Judgement) -> tuple[str, ...]:
    return batch_size.notes(batch.sweeps(view.of(judgements))[0])


def saturating() -> list[Judgement]:
    """16 is best, 8 ties with it, past 16 nothing is gained."""
    return [
        swept("v", 4, 80.0, duration_s=2.0),
        swept("v", 8, 60.1),
        swept("v", 16, 60.0),
        swept("v", 32, 65.0),
    ]


def test_best_ties_and_saturation_are_marked() -> None:
    """A star for the best, a diamond for its tie, a line where it saturates; bars are the intervals."""
    energy, speed = charts(*saturating())
    sizes = layer(energy, Marks, "energy per sample")
    assert sizes.points == ((4.0, 8.0), (8.0, 6.01), (16.0, 6.0), (32.0, 6.5))
    assert layer(energy, Line).points == sizes.points
    assert sizes.bars[0] == pytest.approx((7.96, 8.04))
    best = layer(energy, Marks, "best: 16")
    assert (best.points, best.form) == (((16, 6.0),), "star")
    tie = layer(energy, Marks, "not separable from it: 8")
    assert (tie.points, tie.form, tie.is_hollow) == (((8, 6.01),), "diamond", True)
    saturation = layer(energy, Rule, "saturated above 16")
    assert (saturation.at, saturation.is_upright) == (16, True)
    speeds = layer(speed, Marks, "samples per second")
    assert speeds.points == ((4.0, 5.0), (8.0, 10.0), (16.0, 10.0), (32.0, 10.0))
    assert layer(speed, Rule).at == 16
    assert any(note.startswith("Best: 16, 6 J per sample; 8 can't be") for note in notes(*saturating()))


def test_lost_sizes_stand_at_the_foot() -> None:
    """Out of memory, void and missing each have a cross and a word, and no joules."""
    full = "out of memory: CUDA out of memory"
    tests = (
        swept("v", 4, 80.0),
        swept("v", 8, 40.0, verdict=Verdict.VOID),
        swept("v", 16, None, absent={"energy_j": full}),
        swept("w", 64, 80.0),
    )
    energy, speed = charts(*tests)
    crosses = layer(energy, Crosses)
    assert dict(zip(crosses.places, crosses.titles, strict=True)) == {
        8: "8: without joules",
        16: "16: out of memory",
        64: "64: no record",
    }
    assert crosses.key == "without joules: 8; out of memory: 16; no record: 64"
    assert layer(energy, Marks, "energy per sample").points == ((4, 8.0),)
    assert layer(speed, Crosses).places == crosses.places
    assert f"Without joules: v-16 ({full})." in notes(*tests)
    assert any(note.startswith("Without joules: v-8 (thermal slowdown") for note in notes(*tests))


def test_the_open_end_is_reported() -> None:
    """A best at the largest size of the run may not be the best; one before a lost size has no such note."""
    note = "The best batch size is the largest measured: a larger one may be better."
    assert note in notes(swept("v", 4, 80.0), swept("v", 8, 60.0))
    assert note not in notes(swept("v", 4, 80.0), swept("v", 8, None))


def test_every_size_has_a_tick() -> None:
    """Sizes without joules too: both charts have one x axis."""
    energy, speed = charts(swept("v", 4, 80.0), swept("v", 8, None))
    assert energy.x == speed.x
    assert energy.x.ticks == ((4.0, "4"), (8.0, "8"))
    sheet = batch_size.sheet(batch.sweeps(view.of([swept("v", 4, 80.0)]))[0])
    assert sheet.shares_x
    assert sheet.title == "v: energy and speed over the batch size"


def test_another_provenance_is_in_the_label() -> None:
    """An axis never shows a replay as a measurement."""
    energy, _ = charts(swept("v", 4, 80.0, provenance=Provenance.REPLAYED))
    assert energy.y.label == "replayed energy per sample (J)"
    assert keys(energy)[0] == "replayed energy per sample, 95 % interval"


def test_memory_has_a_chart_where_it_is_known() -> None:
    """The memory of the sizes that record it; without one there is no chart, and no point at 0."""
    (memory,) = charts(swept("v", 4, 80.0, metrics={"peak_memory_bytes": 2e9}), swept("v", 8, 70.0))[2:]
    assert memory.title == "Memory"
    marks = layer(memory, Marks)
    assert (marks.points, marks.titles) == (((4.0, 2e9),), ("4: 2 GB",))
    assert len(charts(*saturating())) == 2
