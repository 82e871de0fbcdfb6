"""Texts of figures as matplotlib's renderer places them: apart, and on the page."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from pytest_energy.judgement import Judgement
from pytest_energy.report import catalogue, view
from pytest_energy.report.plots.page import LIGHT, Look
from pytest_energy.report.plots.painter import draw, styled
from tests.browser.runs import mixed_run
from tests.builders import comparison, judgement
from tests.fakes.sessions import estimated_session, replayed_session

_MM = 1 / 25.4
_TOUCH = 0.5  # of a pixel: what rounding adds to a box
LOOKS = {
    "page": Look(theme=LIGHT),
    "85 mm": Look(theme=LIGHT, width_in=85 * _MM, is_bare=True),
}


def thirty_models() -> tuple[Judgement, ...]:
    """Thirty models with long names in both groups, many of them at nearly the same place."""
    return tuple(
        judgement(
            test_id=f"t.py::test_{group}[{number}]",
            energy_j=energy_j * (1 + number**3 / 4000),
            group=group,
            model=f"an-organisation/a-language-model-with-a-long-name-{number}b-instruct",
            metrics={"parameters": 1e6 * (1 + number), "accuracy": 0.9 + number % 7 / 1000, "our_own": 1e-5},
            compared=comparison(),
        )
        for group, energy_j in (("training", 900.0), ("inference", 30.0))
        for number in range(30)
    )


RUNS = {
    "estimated": estimated_session,
    "replayed": replayed_session,
    "mixed": mixed_run,
    "thirty": thirty_models,
}


def figures(run: str, look: Look) -> Iterator[tuple[str, Figure]]:
    """Every figure of the run, of rounds the first alone."""
    shown = view.of(RUNS[run]())
    plans, _ = catalogue.plans(shown, rounds_of=catalogue.RoundsContext())
    rounds = [plan for plan in plans if plan.stem.startswith("rounds")]
    with styled(look.theme):
        for plan in [plan for plan in plans if plan not in rounds[1:]]:
            yield plan.stem, draw(plan.sheet(), look)


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """What is written and drawn, with its place in pixels."""
    figure.draw_without_rendering()
    shown = [text for text in figure.findobj(Text) if text.get_visible()]
    return [(text.get_text(), text.get_window_extent()) for text in shown if text.get_text().strip()]


def bars(axes: Axes) -> list[Bbox]:
    """Every error bar of *axes*, in pixels."""
    lines = [line for container in axes.containers for line in container[2]]
    segments = [segment for line in lines for segment in line.get_segments()]
    return [Bbox(axes.transData.transform(segment)).padded(_TOUCH) for segment in segments]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("run", RUNS)
def test_every_text_has_a_place_of_its_own(run: str, look: str) -> None:
    """Ticks, labels, keys, captions, names and notes are apart and on the page; no name is over a bar."""
    for stem, figure in figures(run, LOOKS[look]):
        placed = boxes(figure)
        page = figure.bbox.padded(_TOUCH)
        for text, box in placed:
            assert page.containsx(box.x0), (stem, text)
            assert page.containsx(box.x1), (stem, text)
            assert page.containsy(box.y0), (stem, text)
            assert page.containsy(box.y1), (stem, text)
        for (one, first), (other, second) in combinations(placed, 2):
            assert not first.padded(-_TOUCH).overlaps(second.padded(-_TOUCH)), (stem, one, other)
        for axes in figure.axes:
            names = [text.get_window_extent().padded(-_TOUCH) for text in axes.texts]
            assert not any(name.overlaps(bar) for name in names for bar in bars(axes)), stem
