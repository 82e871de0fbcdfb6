"""The figures of a run that monitoring systems take, and their labels; one list for each of them.

Rule 1: a value that is absent is not exported, never 0.
Rule 2: every figure carries its provenance: an estimate can't be taken for a measurement.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_energy.report.view import Row, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a test.

    Attributes:
        name: Words between underscores, without a unit.
        unit: Of UCUM; `1` for a ratio.
        meaning: In a few words.
    """

    name: str
    unit: str
    meaning: str
    value_of: Callable[[Row], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The value of one figure for one test."""

    row: Row
    value: float


FIGURES = (
    Figure(
        name="energy",
        unit="J",
        meaning="mean energy of a round of the test",
        value_of=lambda row: row.energy_j,
    ),
    Figure(
        name="energy_uncertainty",
        unit="J",
        meaning="standard uncertainty of the mean energy of a round",
        value_of=lambda row: row.uncertainty_j,
    ),
    Figure(
        name="net_energy",
        unit="J",
        meaning="mean energy of a round above idle power",
        value_of=lambda row: row.record.net_energy_j,
    ),
    Figure(
        name="energy_per_sample",
        unit="J",
        meaning="energy of a sample",
        value_of=lambda row: row.record.energy_per_sample_j,
    ),
    Figure(
        name="energy_per_token",
        unit="J",
        meaning="energy of an output token",
        value_of=lambda row: row.record.energy_per_token_j,
    ),
    Figure(
        name="duration",
        unit="s",
        meaning="mean duration of a round",
        value_of=lambda row: row.record.duration_s,
    ),
    Figure(name="power", unit="W", meaning="mean power of a round", value_of=lambda row: row.record.power_w),
    Figure(
        name="baseline_ratio",
        unit="1",
        meaning="energy of a round over that of the baseline, 1 where they are equal",
        value_of=lambda row: None if row.judgement.comparison is None else row.judgement.comparison.ratio,
    ),
)


def points(view: View, figure: Figure) -> Iterator[Point]:
    """The values of *figure*, of the tests that have one."""
    for row in view.rows:
        value = figure.value_of(row)
        if value is not None and math.isfinite(value):
            yield Point(row=row, value=value)


def commit(row: Row) -> str:
    """The commit that was measured; empty if that isn't known."""
    return row.record.machine.varying.get("git_commit", "")


def label(text: str) -> str:
    """*text* as every system can hold it: half characters, as broken file names give, are escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
