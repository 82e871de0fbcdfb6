"""Names beside points, where there is room."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.report.charts.axes import doubling_axis, linear_axis
from pytest_energy.report.charts.label_layout import Box, place_names, thinned

PAGE = Box(left=0.0, top=0.0, right=100.0, bottom=100.0)
_on_page = st.floats(0, 100)


def placed(points: list[tuple[float, float]], widths: list[float]) -> list[Box | None]:
    return place_names(points, widths, height=10.0, inside=PAGE, half_mark=2.0, gap=3.0)


@given(
    st.lists(st.tuples(_on_page, _on_page, st.floats(1, 60)), max_size=12),
)
def test_names_stand_apart_and_inside(spots: list[tuple[float, float, float]]) -> None:
    """No name lies over another or over another's point, none leaves the page, each has its size."""
    points = [(x, y) for x, y, _ in spots]
    boxes = placed(points, [width for *_, width in spots])
    standing = [(number, box) for number, box in enumerate(boxes) if box is not None]
    for number, box in standing:
        assert PAGE.holds(box)
        assert not any(box.overlaps(other) for other_number, other in standing if other_number != number)
        for other, (x, y) in enumerate(points):
            mark = Box(left=x - 2, top=y - 2, right=x + 2, bottom=y + 2)
            assert other == number or not box.overlaps(mark)


def test_the_right_side_comes_first() -> None:
    """A name alone stands to the right of its point, at the page's edge to the left."""
    assert placed([(50.0, 50.0)], [20.0]) == [Box(left=53.0, top=45.0, right=73.0, bottom=55.0)]
    assert placed([(95.0, 50.0)], [20.0]) == [Box(left=72.0, top=45.0, right=92.0, bottom=55.0)]


def test_a_name_without_room_is_left_out() -> None:
    """Thirty names at one point: few stand, the others don't."""
    boxes = placed([(50.0, 50.0)] * 30, [20.0] * 30)
    assert 0 < sum(box is not None for box in boxes) <= 8
    assert placed([(50.0, 50.0)], [200.0]) == [None]


def test_a_name_keeps_off_bars() -> None:
    """A bar to the right of a point sends its name to the left."""
    bar = ((50.0, 50.0), (90.0, 50.0))
    (box,) = place_names([(50.0, 50.0)], [20.0], height=10.0, inside=PAGE, half_mark=2.0, gap=3.0, bars=[bar])
    assert box == Box(left=27.0, top=45.0, right=47.0, bottom=55.0)


def test_numbers_under_an_axis_are_apart() -> None:
    """The paper's sizes: ends and powers of two are written, what would lie over them isn't."""
    sizes = [float(size) for size in (4, 8, 16, 32, 64, 96, 128, 160, 192, 224, 256)]
    axis = doubling_axis(sizes)
    texts = dict(thinned(axis, [18.0] * len(sizes), length=400.0, gap=3.0).ticks)
    assert {value for value, text in texts.items() if text} >= {4, 8, 16, 32, 64, 128, 256}
    assert texts[224.0] == ""
    assert [value for value, _ in axis.ticks] == sizes


def test_evenly_spaced_numbers_are_thinned_evenly() -> None:
    """Every second one on half the room; all where they fit."""
    axis = linear_axis([0.0, 5.0])
    texts = [text for _, text in axis.ticks]
    widths = [20.0] * len(texts)
    assert [text for _, text in thinned(axis, widths, length=300.0, gap=2.0).ticks] == texts
    kept = [text for _, text in thinned(axis, widths, length=45.0, gap=2.0).ticks]
    assert kept == [text if place % 2 == 0 else "" for place, text in enumerate(texts)]
