"""Names beside points, where there is room."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.report.charts.label_layout import Box, place_names

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
