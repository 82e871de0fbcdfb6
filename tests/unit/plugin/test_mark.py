"""Ids of tests, where another plugin has changed them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest

from pytest_energy.plugin.mark import id_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    by_group: bool

    def getoption(self, name: str, default: object) -> object:
        return self.by_group if name == "loadgroup" else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What an item of pytest-xdist's says of itself."""

    nodeid: str
    name: str
    marks: tuple[pytest.MarkDecorator, ...]
    config: Config

    def iter_markers(self, name: str) -> Iterator[pytest.Mark]:
        return (one.mark for one in self.marks if one.name == name)


CARD, OTHER, NAMELESS = (
    pytest.mark.xdist_group("card"),
    pytest.mark.xdist_group(name="b"),
    pytest.mark.xdist_group,
)


@pytest.mark.parametrize(
    ("nodeid", "name", "marks", "found"),
    [
        ("t.py::test_work@card", "test_work", (CARD,), "t.py::test_work"),
        ("t.py::test_work@b_card", "test_work", (CARD, OTHER), "t.py::test_work"),
        ("t.py::test_work@default", "test_work", (NAMELESS,), "t.py::test_work"),
        ("t.py::test_work[x@card]@card", "test_work[x@card]", (CARD,), "t.py::test_work[x@card]"),
        ("t.py::test_work", "test_work", (CARD,), "t.py::test_work"),
        ("t.py::test_work", "test_work", (), "t.py::test_work"),
        ("mail.txt::me@card", "me@card", (CARD,), "mail.txt::me@card"),
    ],
)
def test_a_group_is_no_part_of_the_id(
    nodeid: str, name: str, marks: tuple[pytest.MarkDecorator, ...], found: str
) -> None:
    """With --dist=loadgroup older versions of pytest have the groups at the id's end; the name is kept."""
    item = Item(nodeid=nodeid, name=name, marks=marks, config=Config(by_group=True))
    assert id_of(cast("pytest.Item", item)) == found


def test_elsewhere_an_id_is_as_it_is() -> None:
    """Without --dist=loadgroup nothing was appended."""
    item = Item(nodeid="t.py::me@card", name="me", marks=(CARD,), config=Config(by_group=False))
    assert id_of(cast("pytest.Item", item)) == "t.py::me@card"
