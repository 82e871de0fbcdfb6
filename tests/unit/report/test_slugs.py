"""Names of files."""

import pytest

from pytest_energy.report.slugs import distinct, slug

HOSTILE = [
    "../../etc/passwd",
    "..",
    ".hidden",
    "/",
    "\x00\x1b[31m",
    "CON",
    "a\nb",
    "$x^2$",
    "漢字",
    "x" * 500,
    'a"b<c>|?*:',
    "\u202egnp",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_slug_is_safe(name: str) -> None:
    """Whatever a test is called, its part of a file's name is short ASCII that leads nowhere."""
    stem = slug(name)
    assert stem
    assert len(stem) <= 100
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
    assert ".." not in stem
    assert not stem.startswith((".", "-"))


def test_distinct_counts_on() -> None:
    """Names that a file system may take for one get numbers, also where that number is a name."""
    stems = distinct(["a", "A", "a-2", "a"])
    assert stems[0] == "a"
    assert len({name.lower() for name in stems}) == 4
