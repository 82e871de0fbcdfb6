"""A table of a study under its title, and the texts of its cells. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_energy.report import cells
from pytest_energy.study.rows import Cell
from pytest_energy.study.samples import Energy
from pytest_energy.units import to_text

MOST_COLUMNS = 5
"""Columns of a study in one table."""

DIGITS = 3
_LONGEST = 34  # characters of a row's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table under its title.

    Attributes:
        part: Title of the part that it begins; empty where it continues one.
        rows: The first cell of each names it.
        notes: A sentence each.
        is_folded: For readers who want every figure.
    """

    title: str
    part: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    is_folded: bool = False


def joules_text(cell: Cell | None, energy: Energy) -> str:
    energy_j = None if cell is None else cell.energies_j[energy]
    if cell is None or energy_j is None:
        return cells.ABSENT
    return cells.MARKS[cell.samples[0].record.provenance] + to_text(energy_j, "J", digits=DIGITS)


def short_name(name: str, longest: int = _LONGEST) -> str:
    line = cells.printable(name)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def chunks(labels: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(labels), most):
        yield labels[first : first + most]
