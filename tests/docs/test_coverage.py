"""The page that says what the study asks and where it is: its counts, and that what it names exists."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "coverage.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("| asked", "|---"))
]


def test_the_first_line_counts_the_rows() -> None:
    """Ninety rows; how many work is counted from them."""
    states = [state for _, state, _, _ in ROWS]
    assert set(states) == {"works", "partly"}
    counts = f"{states.count('works')} of {len(ROWS)} work, {states.count('partly')} partly."
    assert len(ROWS) == 90
    assert counts in PAGE


def test_a_row_that_works_partly_says_what_is_missing() -> None:
    """And one that works has nothing missing."""
    assert [asked for asked, state, _, missing in ROWS if (state == "partly") is not bool(missing)] == []


def test_what_shows_a_row_exists() -> None:
    """Each test, each page and each file of a command."""
    assert [asked for asked, _, shown_by, _ in ROWS if not shown_by] == []
    named = re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`|\b((?:benchmarks)/[\w/]+\.py) ", PAGE)
    files = {DOCS.parent / (one or other) for one, other in named}
    pages = {DOCS / target for target in re.findall(r"\]\(([^)#]+)\)", PAGE)}
    assert files
    assert sorted(str(path) for path in files | pages if not path.exists()) == []
