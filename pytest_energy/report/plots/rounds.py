"""The rounds of one test against its baseline.

Rule 1: joules are those that were compared: gross or net, of a round or of a sample.
Rule 2: the tolerance and the sessions' levels are those of the run's document, unless others are given: a
    baseline's folder has the sessions' rounds, too. What neither holds, as in an older run, is said.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_energy.baselines.schema import moment_of
from pytest_energy.basis import Basis
from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Comparison, Provenance, Record
from pytest_energy.report import cells
from pytest_energy.report.plots.canvas import Head, Theme, page, scale
from pytest_energy.report.text import heading, joules_label, short
from pytest_energy.report.view import Row
from pytest_energy.units import percent_change_text, to_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBERS = 14  # that fit side by side on the page's width
_LEVEL_GAP = 0.05  # of the axis: room for the word between the last number and the edge
_BASES = tuple(Basis(is_net=net, is_per_sample=each) for net in (False, True) for each in (False, True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """One test that was compared.

    Attributes:
        name: Of the test.
        energies_j: Joules of each round, as they were compared.
        confirming_count: How many of the last are a second batch.
        sessions_j: The same of the baseline's sessions, the first accepted first; empty where not given.
        levels_j: Level of each session, as the run holds them; empty where it doesn't or where *sessions_j*
            are given.
        tolerance: Accepted rise, a share; `None` where nothing tells.
        budget_j: What a round may use, where that is in the joules compared.
    """

    row: Row
    name: str
    comparison: Comparison
    basis: Basis
    energies_j: tuple[float, ...]
    confirming_count: int
    sessions_j: tuple[tuple[float, ...], ...] = ()
    levels_j: tuple[float, ...] = ()
    tolerance: float | None = None
    budget_j: float | None = None

    @property
    def bounds_j(self) -> tuple[float, float]:
        """Bounds of the run's level: those of the ratio, times the baseline's."""
        lower, upper = self.comparison.ratio_ci
        return lower * self.comparison.energy_j, upper * self.comparison.energy_j

    @property
    def level_j(self) -> float:
        """Where the comparison puts this run."""
        return self.comparison.ratio * self.comparison.energy_j


def rounds_of(row: Row, *, sessions: Sequence[Record], tolerance: float | None) -> Rounds | str:
    """What the figure of *row* shows, or why there is none.

    Args:
        row: One test of the run.
        sessions: Of its baseline as it is now; those that the run can't have known are left out.
        tolerance: Accepted rise, a share, instead of the run's own.
    """
    record, comparison = row.judgement.record, row.judgement.comparison
    if comparison is None:
        return "it was compared with no baseline"
    basis = next((basis for basis in _BASES if basis.text == comparison.basis), None)
    if basis is None:
        return f"it was compared by {comparison.basis!r}, which this version doesn't know"
    try:
        energies_j = basis.round_energies(record).energies_j
    except NotMeasurable as error:
        return str(error)
    budget = row.judgement.budget
    if basis.is_net:
        budget_j = None
    else:
        budget_j = budget.budget_per_sample_j if basis.is_per_sample else budget.budget_j
    sessions_j = tuple(_sessions_j(basis, record, sessions))
    return Rounds(
        row=row,
        name=row.short_id,
        comparison=comparison,
        basis=basis,
        energies_j=energies_j,
        confirming_count=record.confirming_count,
        sessions_j=sessions_j,
        levels_j=() if sessions_j else comparison.session_energies_j,
        tolerance=comparison.tolerance if tolerance is None else tolerance,
        budget_j=budget_j,
    )


def _sessions_j(basis: Basis, record: Record, sessions: Sequence[Record]) -> Iterator[tuple[float, ...]]:
    """Rounds of the sessions that are older than *record*, without those that have no such joules."""
    for session in sessions:
        if moment_of(session) < moment_of(record):
            try:
                yield basis.round_energies(session).energies_j
            except NotMeasurable:
                continue  # the gate leaves it out as well


def notes(found: Rounds) -> tuple[str, ...]:
    """What the figure says, in words."""
    comparison = found.comparison
    ratio = percent_change_text(round(comparison.ratio, 11))
    count = comparison.session_count
    sessions = f"{count} {'session' if count == 1 else 'sessions'}"
    verdict, bounds = cells.verdict(found.row.verdict), cells.bounds(comparison.ratio_ci)
    told = [
        f"{verdict}: {ratio} against the baseline, bounds {bounds} %.",
        f"Baseline: {to_text(comparison.energy_j, 'J')}, level of {sessions}.",
    ]
    if found.sessions_j and len(found.sessions_j) != count:
        told.append(
            f"The baseline's file has {len(found.sessions_j)} sessions older than this run: "
            "it has changed since."
        )
    if not found.sessions_j and not found.levels_j and count > 1:
        told.append("The levels of the sessions are not in this run's JSON; --baselines draws the sessions.")
    if found.tolerance is None:
        told.append("The tolerance is not in this run's JSON; --tolerance draws its band.")
    return (*told, *([f"{short(comparison.note)}."] if comparison.note else []))


def draw(found: Rounds, theme: Theme) -> "Figure":
    """The figure of *found*: sessions, where they are given, then the rounds of this run."""
    record = found.row.judgement.record
    head = Head(
        title=f"{short(found.name)}: rounds against the baseline",
        heading=heading(record.machine, [found.row.judgement]),
        notes=notes(found),
    )
    figure = page(head, width_in=7.5, body_in=4.0, theme=theme)
    axes = figure.subplots()
    start = _draw_sessions(axes, found, theme)
    place = _draw_rounds(axes, found, start, theme)
    baseline_j = found.comparison.energy_j
    axes.axhline(
        baseline_j, color=theme.ink, lw=1.2, ls="--", label=f"baseline {to_text(baseline_j, 'J')}", zorder=1
    )
    if found.tolerance is not None:
        axes.axhspan(
            baseline_j,
            baseline_j * (1 + found.tolerance),
            facecolor=theme.third,
            alpha=0.18,
            zorder=0,
            label=f"tolerance +{found.tolerance * 100:g} %",
        )
    _draw_bounds(axes, found, place, theme)
    if found.budget_j is not None:
        axes.axhline(
            found.budget_j,
            color=theme.second,
            lw=1.2,
            ls=":",
            label=f"budget {to_text(found.budget_j, 'J')}",
            zorder=1,
        )
    axes.margins(x=0.06, y=0.15)
    scale(axes.yaxis, found.energies_j, unit="J", is_log=False)
    axes.set_ylabel(_label(found, record.provenance))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def _label(found: Rounds, provenance: Provenance) -> str:
    label = joules_label(provenance, "sample" if found.basis.is_per_sample else "round")
    return f"net {label}" if found.basis.is_net else label


def _draw_sessions(axes: "Axes", found: Rounds, theme: Theme) -> int:
    """Each session's rounds one above the other at its place, or its level; returns the next place."""
    sessions_j = found.sessions_j or tuple((level_j,) for level_j in found.levels_j)
    count = len(sessions_j)
    spots = [(number, energy_j) for number, rounds_j in enumerate(sessions_j, 1) for energy_j in rounds_j]
    if spots:
        axes.plot(
            [number for number, _ in spots],
            [energy_j for _, energy_j in spots],
            "s",
            color=theme.faint,
            ms=5,
            mfc="none",
            label=f"{'rounds' if found.sessions_j else 'levels'} of the baseline's sessions",
        )
        axes.axvline(count + 0.5, color=theme.faint, lw=0.8)
    return count + 1


def _draw_rounds(axes: "Axes", found: Rounds, start: int, theme: Theme) -> float:
    """The rounds of this run from *start* on, those that confirm as triangles; returns the level's place."""
    energies_j = found.energies_j
    first = len(energies_j) - min(found.confirming_count, len(energies_j))
    places = list(range(start, start + len(energies_j)))
    axes.plot(places[:first], energies_j[:first], "o", color=theme.first, ms=7, label="rounds of this run")
    if first < len(energies_j):
        axes.plot(
            places[first:], energies_j[first:], "^", color=theme.first, ms=7, label="rounds that confirm"
        )
    sessions = range(1, start)
    step = math.ceil(len(energies_j) / (_NUMBERS // 2 if sessions else _NUMBERS))
    sessions_step = math.ceil(len(sessions) / (_NUMBERS // 2)) or 1
    level = start + len(energies_j) + _LEVEL_GAP * (start + len(energies_j))
    ticks = [*sessions[::sessions_step], *places[::step], level]
    texts = [
        *(f"S{number}" for number in sessions[::sessions_step]),
        *(str(number + 1) for number in range(0, len(energies_j), step)),
        "level",
    ]
    axes.set_xticks(ticks, texts)
    axes.set_xlabel("session of the baseline (S1, ...), round of this run" if sessions else "round")
    return level


def _draw_bounds(axes: "Axes", found: Rounds, place: float, theme: Theme) -> None:
    lower_j, upper_j = found.bounds_j
    axes.errorbar(
        [place],
        [found.level_j],
        yerr=([found.level_j - lower_j], [upper_j - found.level_j]),
        fmt="D",
        color=theme.second,
        ms=7,
        capsize=5,
        lw=1.5,
        label="level of this run, with its bounds",
        zorder=3,
    )
