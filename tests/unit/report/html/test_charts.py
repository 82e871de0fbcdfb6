"""Scales and charts of the HTML report."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.model import Verdict
from pytest_energy.report import view
from pytest_energy.report.html import charts, tables
from pytest_energy.report.html.axis import axis_of, doubling_axis, linear_axis
from pytest_energy.report.html.figure import WIDTH, Figure
from tests.browser.runs import mixed_run, sweep
from tests.builders import judgement
from tests.fakes.sessions import gpu_session

_energies = st.floats(min_value=1e-9, max_value=1e12)


@given(values=st.lists(_energies, min_size=1, max_size=20))
def test_an_axis_holds_its_values_and_tells_its_ticks_apart(values: list[float]) -> None:
    """Every value is on the axis, every tick too, and no two ticks have one text."""
    axis = axis_of(values, "J")
    assert all(0 <= axis.share(value) <= 1 for value in values)
    assert all(-1e-9 <= axis.share(place) <= 1 + 1e-9 for place, _ in axis.ticks)
    texts = [text for _, text in axis.ticks]
    assert texts
    assert len({*texts}) == len(texts)


@given(values=st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=1, max_size=9))
def test_a_linear_axis_takes_negative_values(values: list[float]) -> None:
    """A change may be below 0."""
    axis = linear_axis(values)
    assert all(0 <= axis.share(value) <= 1 for value in values)


def test_bars_begin_at_zero() -> None:
    """An axis for bars has 0 at its foot, even where all bars are the same."""
    for values in ([3.0, 5.0], [5.0], [0.0]):
        axis = linear_axis(values, "J", has_zero=True)
        assert axis.lower == 0
        assert axis.ticks[0] == (0.0, "0 J")


def test_one_batch_size_has_an_axis() -> None:
    """A single size stands in the middle of its axis."""
    axis = doubling_axis([64.0], room=10)
    assert axis.share(64.0) == pytest.approx(0.5)
    assert axis.ticks == ((64.0, "64"),)


def _all_texts(figure: Figure) -> str:
    texts = [part for shape in figure.shapes for part in (shape.text, shape.title)]
    return "\n".join([figure.title, *figure.subtitle, *texts, *(key.text for key in figure.keys)])


def test_a_sweep_shows_its_best_its_ties_and_what_was_lost() -> None:
    """What `report.batch` finds is marked and said."""
    (curves,) = charts.batch_curves(view.of(sweep()))
    energy, speed = curves.figures
    told = _all_texts(energy)
    assert "best: 1024" in told
    assert "out of memory: 4096" in told
    assert any(shape.attributes["class"] == "mark star second" for shape in energy.shapes)
    assert "samples/s" in _all_texts(speed)
    assert any("Best: 1024" in note for note in curves.notes)


def test_a_sweep_that_ties_and_saturates_is_marked() -> None:
    """A size that can't be told from the best has a diamond, saturation a dashed line."""
    tests = [
        judgement(
            test_id=f"t.py::t[m-{size}]",
            energy_j=size / 10,
            uncertainty_j=size / 50,
            duration_s=size / 1000,
            samples=size,
            group="batch",
            model=f"m@{size}",
            metrics={"batch_size": float(size)},
        )
        for size in (16, 32, 64)
    ]
    told = _all_texts(charts.batch_curves(view.of(tests))[0].figures[0])
    assert "can't be told from it: 32, 64" in told
    assert "saturated past 16" in told


def test_a_load_shows_its_fit_and_what_saturated() -> None:
    """Points, the fit's constants with their errors, and a hollow square for a saturated rate."""
    (curves,) = charts.rate_curves(view.of(mixed_run()))
    told = _all_texts(curves.figures[0])
    assert "fit: P_static" in told
    assert "saturated: not in the fit" in told
    assert any("the queue grew" in note for note in curves.notes)


def test_a_load_of_two_rates_has_no_fit_and_says_so() -> None:
    """Through two points every curve passes."""
    tests = [found for found in gpu_session() if found.record.group == "requests"][:2]
    (curves,) = charts.rate_curves(view.of(tests))
    assert "fit" not in _all_texts(curves.figures[0])
    assert any(note.startswith("No fit: 2 different rates") for note in curves.notes)


def test_a_load_without_joules_is_not_drawn() -> None:
    """No point, no chart."""
    lost = judgement(
        energy_j=None, verdict=Verdict.UNMEASURED, group="requests", metrics={"request_rate": 4.0}
    )
    assert charts.rate_curves(view.of([lost])) == ()


def test_a_scatter_carries_the_paper_beside_the_run() -> None:
    """Each chart's lines are the correlation of the report, and the paper's values."""
    group = view.of(gpu_session()).groups[0]
    figures = charts.scatters(group)
    macs = next(figure for figure in figures if figure.title == "macs_param")
    assert macs.subtitle[0].startswith("rho ")
    assert macs.subtitle[1].startswith("paper: +0.902 HC-1")


def test_names_of_points_stay_inside_and_apart() -> None:
    """A name that has no room is left out, never over another."""
    group = view.of(gpu_session()).groups[0]
    for figure in charts.scatters(group):
        names = [shape for shape in figure.shapes if shape.attributes["class"] == "name"]
        assert names
        assert all(0 <= float(shape.attributes["x"]) <= WIDTH for shape in names)
        places = [(shape.attributes["x"], shape.attributes["y"]) for shape in names]
        assert len({*places}) == len(places)


def test_very_many_points_are_one_shape() -> None:
    """A thousand models take one element a chart, not a thousand."""
    group = view.of(
        [
            judgement(
                test_id=f"t.py::t[{number}]",
                group="g",
                model=f"m{number}",
                energy_j=1.0 + number,
                metrics={"accuracy": number / 1000},
            )
            for number in range(400)
        ]
    ).groups[0]
    (figure,) = charts.scatters(group)
    dots = [shape for shape in figure.shapes if shape.attributes["class"] == "dots"]
    assert len(dots) == 1
    assert len(re.findall("M", str(dots[0].attributes["d"]))) == 400


def test_the_heat_map_has_every_group_and_the_paper() -> None:
    """Groups side by side, each with the paper's hardware; a shade repeats the number's sign and size."""
    found = tables.heat_map(view.of(gpu_session()))
    assert found is not None
    assert found.spans == (("", 1), ("training", 4), ("requests", 2))
    assert found.heads[:3] == ("metric", "this run", "paper HC-1")
    first = found.rows[0]
    assert first[1].text == "+1.000"
    assert first[1].shade == "p5"
    assert found.notes == (
        "the paper's hardware: HC-1: RTX 3080, HC-2: RTX 3090, HC-3: RTX A2000, HC-4: 2 x H100",
    )


def test_one_group_has_no_map_beside_its_table() -> None:
    """A map of one group would be its table again."""
    run = [found for found in gpu_session() if found.record.group == "training"]
    assert tables.heat_map(view.of(run)) is None


def test_a_missing_rho_has_no_shade() -> None:
    """No number, no colour."""
    row = next(
        row
        for row in tables.groups(view.of(gpu_session()))[0].correlations.rows  # type: ignore[union-attr]
        if row[0].text == "overall_efficiency"
    )
    assert (row[1].text, row[1].shade) == ("-", "")


def test_another_provenance_is_in_the_label() -> None:
    """An axis never shows a replay as a measurement."""
    from pytest_energy.model import Provenance

    tests = [
        replace(
            found,
            record=replace(
                found.record,
                provenance=Provenance.REPLAYED,
                rounds=tuple(replace(r, provenance=Provenance.REPLAYED) for r in found.record.rounds),
            ),
        )
        for found in sweep()
    ]
    (curves,) = charts.batch_curves(view.of(tests))
    assert "replayed J/sample" in _all_texts(curves.figures[0])
