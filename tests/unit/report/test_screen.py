import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import printable
from pytest_energy.report.screen import at_most, shortened, table, told_apart, width_of, wrapped


@given(st.text(max_size=80).map(printable), st.integers(4, 60))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    """In cells of the screen; one that fits stays as it is."""
    assert width_of(shortened(text, width)) <= width
    if width_of(text) <= width:
        assert shortened(text, width) == text


@pytest.mark.parametrize(
    "names",
    [
        [f"{'a' * 30}{n}{'b' * 30}" for n in range(3)],
        [f"{'a' * 50}{n}" for n in range(3)],
        [f"{n}{'a' * 50}" for n in range(3)],
    ],
)
def test_names_are_cut_where_they_do_not_differ(names: list[str]) -> None:
    """Three long names are three short ones, wherever they differ."""
    cut = told_apart(names, 33)
    assert len({*cut}) == 3
    assert max(map(len, cut)) <= 33


def test_a_path_stays_whole() -> None:
    """Where words are not broken, one that is too wide has a line of its own; wide characters count twice."""
    assert wrapped(["see /a/long/path/to/it now"], 10, hanging="  ", breaks_words=False) == [
        "see",
        "  /a/long/path/to/it",
        "  now",
    ]
    assert max(map(width_of, wrapped(["溫度 過高 " * 9], 20, breaks_words=False))) <= 20


def test_lines_past_the_last_are_cut() -> None:
    """The last one shows that there is more, within the width."""
    lines = wrapped(["word " * 30], 20)
    assert at_most(lines, 2, 20) == ["word word word word", "word word word wo..."]
    assert at_most(lines[:2], 2, 20) == lines[:2]


def test_a_table_keeps_the_indent_of_a_cell() -> None:
    """Numbers end in one column, names begin in one."""
    assert table(["a", "b"], [["  x", "1"], ["yyyy", "22"]], "<>") == [
        "a      b",
        "----  --",
        "  x    1",
        "yyyy  22",
    ]


def test_a_cell_may_have_several_lines() -> None:
    """The others of its row are empty below their first."""
    assert table(["a", "b\nc"], [["x", "1"]], "<>") == ["a  b", "   c", "-  -", "x  1"]
