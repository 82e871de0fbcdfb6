"""The rounds of one test: beside its baseline, by channel.

Rule 1: joules beside a baseline are those that were compared: gross or net, of a round or of a sample.
Rule 2: the tolerance and the sessions' levels are those of the run's document, unless others are given: a
    baseline's folder has the sessions' rounds, too. What neither holds, as in an older run, is reported.
Rule 3: a round without usable joules is a cross at the foot, never a value.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_energy.baselines.schema import moment_of
from pytest_energy.basis import Basis
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Comparison, Judgement
from pytest_energy.model import Record
from pytest_energy.report import cells
from pytest_energy.report.cells import printable
from pytest_energy.report.charts.axes import linear_axis
from pytest_energy.report.charts.spec import Axis, Band, Boxes, Chart, Crosses, Layer, Marks, Rule, Sheet
from pytest_energy.report.text import (
    COMMIT_LENGTH,
    DAY_LENGTH,
    ORIGINS,
    commit_of,
    heading,
    joules_label,
    sentence,
    short,
)
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import count_text

_NUMBERS = 10  # that fit side by side in the narrowest chart
_NAMES = 3  # of sessions, which are longer
_BASES = tuple(Basis(is_net=net, is_per_sample=each) for net in (False, True) for each in (False, True))
_GROSS = Basis()
_HALF_BOX = 0.35  # of the way from a round to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """The rounds of one test, and what they are compared with.

    Attributes:
        rounds_j: Joules of each round with their standard uncertainty; `None` for one without.
        comparison: With the baseline, where it is of these joules.
        basis: Which joules they are.
        sessions_j: Rounds of each session of the baseline, or its level alone; the oldest first.
        session_names: What each of them is called: its commit, else its day, else its number.
        tolerance: Accepted rise, a share; `None` if unknown.
    """

    judgement: Judgement
    rounds_j: tuple[tuple[float, float] | None, ...]
    comparison: Comparison | None
    basis: Basis = _GROSS
    sessions_j: tuple[tuple[float, ...], ...] = ()
    session_names: tuple[str, ...] = ()
    has_session_rounds: bool = False
    tolerance: float | None = None

    @property
    def interval_j(self) -> tuple[float, float] | None:
        """95 % interval of their mean, where that is of these joules."""
        summary = self.judgement.summary
        return summary.energy_ci_j if summary is not None and self.basis == _GROSS else None

    @property
    def bounds_j(self) -> tuple[float, float] | None:
        """Bounds of the run's level: those of the ratio, times the baseline's."""
        if self.comparison is None:
            return None
        lower, upper = self.comparison.ratio_ci
        return lower * self.comparison.energy_j, upper * self.comparison.energy_j

    @property
    def limit_j(self) -> float | None:
        """What the tolerance accepts."""
        if self.tolerance is None or self.comparison is None:
            return None
        return self.comparison.energy_j * (1 + self.tolerance)

    @property
    def budget_j(self) -> float | None:
        """What a round, or a sample, may use, where that is in these joules."""
        if self.basis.is_net:
            return None
        budget = self.judgement.budget
        return budget.budget_per_sample_j if self.basis.is_per_sample else budget.budget_j


def gross_rounds(judgement: Judgement) -> Rounds | None:
    """Gross joules of the rounds of *judgement*, compared or not; `None` if none may be used."""
    record, comparison = judgement.record, judgement.comparison
    if record.void_because is not None or record.energy_j is None:
        return None
    return _rounds(judgement, None if comparison is None or comparison.basis else comparison, _GROSS)


def compared_rounds(
    judgement: Judgement, *, sessions: Sequence[Record] = (), tolerance: float | None = None
) -> Rounds | str:
    """The rounds in the joules that were compared, or why there are none.

    Args:
        judgement: One test of the run.
        sessions: Of its baseline as it is now; those that the run can't have known are left out.
        tolerance: Accepted rise, a share, instead of the run's own.
    """
    record, comparison = judgement.record, judgement.comparison
    if comparison is None:
        return "it was not compared with a baseline"
    basis = next((basis for basis in _BASES if basis.text == comparison.basis), None)
    if basis is None:
        return f"it was compared by {comparison.basis!r}, which this version doesn't know"
    try:
        rounds = _rounds(judgement, comparison, basis)
    except NotMeasurable as error:
        return str(error)
    if tolerance is not None:
        rounds = replace(rounds, tolerance=tolerance)
    older = tuple(_older_sessions(basis, record, sessions))
    if older:
        names = session_names([one.created for one, _ in older], [commit_of(one.machine) for one, _ in older])
        sessions_j = tuple(rounds_j for _, rounds_j in older)
        rounds = replace(rounds, sessions_j=sessions_j, session_names=names, has_session_rounds=True)
    return rounds


def _rounds(judgement: Judgement, comparison: Comparison | None, basis: Basis) -> Rounds:
    """The rounds with what the run's document holds of a baseline."""
    chosen = basis.round_energies(judgement.record)
    usable = iter(zip(chosen.energies_j, chosen.uncertainties_j, strict=True))
    return Rounds(
        judgement=judgement,
        rounds_j=tuple(None if one.energy_j is None else next(usable) for one in judgement.record.rounds),
        comparison=comparison,
        basis=basis,
        sessions_j=() if comparison is None else tuple((j,) for j in comparison.entry_energies_j),
        session_names=() if comparison is None else names_of(comparison),
        tolerance=None if comparison is None else comparison.tolerance,
    )


def names_of(comparison: Comparison) -> tuple[str, ...]:
    """The sessions of the baseline that *comparison* is with, as a reader knows them."""
    unknown = [""] * len(comparison.entry_energies_j)
    dates, commits = (
        texts if len(texts) == len(unknown) else unknown  # a file may hold anything
        for texts in (comparison.entry_dates, comparison.entry_commits)
    )
    return session_names(dates, commits)


def session_names(dates: Sequence[str], commits: Sequence[str]) -> tuple[str, ...]:
    """Of each session its commit, its day where none was recorded, and its number where neither is known.

    >>> session_names(["2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z", ""], ["3f2c1ab90", "", ""])
    ('3f2c1ab', '2026-11-21', 'S3')
    """
    pairs = enumerate(zip(dates, commits, strict=True), 1)
    return tuple(
        printable(commit[:COMMIT_LENGTH] or date[:DAY_LENGTH] or f"S{place}")
        for place, (date, commit) in pairs
    )


def _older_sessions(
    basis: Basis, record: Record, sessions: Sequence[Record]
) -> Iterable[tuple[Record, tuple[float, ...]]]:
    """Sessions older than *record* with their rounds, without those that have no such joules."""
    for session in sessions:
        if moment_of(session) < moment_of(record):
            try:
                yield session, basis.round_energies(session).energies_j
            except NotMeasurable:
                continue  # the gate leaves it out as well


# ---- the chart ----


def chart(rounds: Rounds) -> Chart:
    """Sessions, where they are known, then the rounds of this run, then its level with its bounds."""
    of_what = "sample" if rounds.basis.is_per_sample else "round"
    provenance = rounds.judgement.record.provenance
    label = joules_label(provenance, of_what, is_net=rounds.basis.is_net)
    return Chart(
        title=f"{ORIGINS[provenance]}energy of each round".capitalize(),
        caption=("the axis does not start at 0",),
        x=_numbers(len(rounds.rounds_j), rounds.session_names, has_level=rounds.comparison is not None),
        y=linear_axis(_shown_j(rounds), "J", label=label),
        layers=(
            *_accepted(rounds),
            *_sessions(rounds),
            *_compared_with(rounds),
            *_marks(rounds),
            *_level(rounds),
        ),
    )


def _shown_j(rounds: Rounds) -> list[float]:
    """All joules that the chart must have room for."""
    ends_j = [end_j for one in rounds.rounds_j if one for end_j in (one[0] - one[1], one[0] + one[1])]
    against_j = [rounds.budget_j, rounds.limit_j]
    if rounds.comparison is not None:
        against_j.append(rounds.comparison.energy_j)
    return [
        *ends_j,
        *(rounds.interval_j or ()),
        *(rounds.bounds_j or ()),
        *(energy_j for session_j in rounds.sessions_j for energy_j in session_j),
        *(energy_j for energy_j in against_j if energy_j is not None),
    ]


def _numbers(count: int, sessions: Sequence[str] = (), *, has_level: bool = False) -> Axis:
    """The sessions by name, then rounds by number, then the level; as many as have room."""
    before = len(sessions)
    step = math.ceil((before + count) / _NUMBERS)
    ticks = [
        *((place, sessions[place - 1]) for place in range(1, before + 1, max(step, -(-before // _NAMES)))),
        *((before + number, str(number)) for number in range(1, count + 1, step)),
        *([(before + count + 1, "level")] if has_level else []),
    ]
    label = "commits of the baseline, then rounds of this run" if before else "round"
    return Axis(
        label=label, lower=0.4, upper=before + count + (1.6 if has_level else 0.6), ticks=tuple(ticks)
    )


def _accepted(rounds: Rounds) -> Iterable[Layer]:
    """The interval of the mean, and what the tolerance accepts above the baseline."""
    if rounds.interval_j is not None:
        yield Band(ends=rounds.interval_j, colour="first", key="95 % interval of the mean of the rounds")
    limit_j = rounds.limit_j
    if limit_j is not None and rounds.comparison is not None:
        text = f"tolerance +{(rounds.tolerance or 0.0) * 100:g} %: up to {to_text(limit_j, 'J')}"
        yield Band(ends=(rounds.comparison.energy_j, limit_j), colour="third")
        yield Rule(at=limit_j, colour="third", dash="dashdot", key=text)


def _sessions(rounds: Rounds) -> Iterable[Layer]:
    if not rounds.sessions_j:
        return
    points = [
        (float(place), energy_j) for place, all_j in enumerate(rounds.sessions_j, 1) for energy_j in all_j
    ]
    of_each = "rounds" if rounds.has_session_rounds else "level"
    text = f"{of_each} of each baseline session, the oldest first"
    yield Rule(at=len(rounds.sessions_j) + 0.5, colour="faint", is_upright=True)
    yield Marks(points=tuple(points), form="square", colour="faint", is_hollow=True, key=text)


def _compared_with(rounds: Rounds) -> Iterable[Layer]:
    comparison = rounds.comparison
    if comparison is not None:
        sessions = count_text(comparison.entry_count, "session")
        text = f"baseline {to_text(comparison.energy_j, 'J')} ({sessions})"
        yield Rule(at=comparison.energy_j, colour="ink", dash="dashed", key=text)
    if rounds.budget_j is not None:
        text = f"budget {to_text(rounds.budget_j, 'J')}"
        yield Rule(at=rounds.budget_j, colour="second", dash="dotted", key=text)


def _marks(rounds: Rounds) -> Iterable[Layer]:
    """The rounds from the last session on, those that confirm as triangles."""
    numbered = list(enumerate(rounds.rounds_j, len(rounds.sessions_j) + 1))
    first = max(0, len(numbered) - rounds.judgement.record.confirming_count)
    circles = Marks(points=(), form="circle", colour="first", key="a round, with its standard uncertainty")
    for part, style in (
        (numbered[:first], circles),
        (numbered[first:], replace(circles, form="triangle", key="a round that confirms")),
    ):
        usable = [(place, *one) for place, one in part if one is not None]
        points = tuple((place, energy_j) for place, energy_j, _ in usable)
        bars = tuple((energy_j - error_j, energy_j + error_j) for _, energy_j, error_j in usable)
        if usable:
            yield replace(style, points=points, bars=bars)
    lost = tuple(float(place) for place, one in numbered if one is None)
    if lost:
        yield Crosses(places=lost, key="a round without usable joules")


def _level(rounds: Rounds) -> Iterable[Layer]:
    if rounds.comparison is None or rounds.bounds_j is None:
        return
    place = len(rounds.sessions_j) + len(rounds.rounds_j) + 1
    level_j = rounds.comparison.ratio * rounds.comparison.energy_j
    yield Marks(
        points=((place, level_j),),
        bars=(rounds.bounds_j,),
        form="diamond",
        colour="second",
        key="level of this run, with its bounds",
    )


# ---- the page ----


def sheet(name: str, rounds: Rounds) -> Sheet:
    """The chart of the test *name* as a page."""
    return Sheet(
        title=f"{short(name)}: rounds against the baseline",
        heading=heading([rounds.judgement]),
        charts=(chart(rounds),),
        notes=notes(rounds),
    )


def notes(rounds: Rounds) -> tuple[str, ...]:
    """What the page says of a comparison, in words."""
    comparison = rounds.comparison
    if comparison is None:
        return ()
    ratio, bounds = cells.percent(comparison.ratio), cells.bounds(comparison.ratio_ci)
    count, sessions_j = comparison.entry_count, rounds.sessions_j
    lines = [
        f"{cells.verdict(rounds.judgement.verdict)}: {ratio} against the baseline, bounds {bounds} %.",
        f"Baseline: {to_text(comparison.energy_j, 'J')}, level of {count_text(count, 'session')}.",
    ]
    if rounds.has_session_rounds and len(sessions_j) != count:
        lines.append(
            f"The baseline's file has {len(sessions_j)} sessions older than this run: it has changed since."
        )
    if not sessions_j and count > 1:
        lines.append("The levels of the sessions are not in this run's JSON; --baselines draws the sessions.")
    if rounds.tolerance is None:
        lines.append("The tolerance is not in this run's JSON; --tolerance draws its band.")
    return (*lines, *([f"{sentence(comparison.note)}."] if comparison.note else []))


# ---- channels ----


def channel_chart(record: Record) -> Chart | None:
    """Joules of each round by channel, one on the other; nothing to see in a single channel."""
    usable = [(number, r.channels) for number, r in enumerate(record.rounds, 1) if r.energy_j is not None]
    names = dict.fromkeys(name for _, channels in usable for name in channels)
    if len(names) < 2:
        return None
    highest_j = max(math.fsum(channels.values()) for _, channels in usable)
    foots_j = dict.fromkeys((number for number, _ in usable), 0.0)
    layers = []
    for fill, name in enumerate(names):
        boxes = []
        for number, channels in usable:
            foot_j = foots_j[number]
            foots_j[number] += channels.get(name, 0.0)
            boxes.append((number - _HALF_BOX, number + _HALF_BOX, foot_j, foots_j[number]))
        layers.append(Boxes(boxes=tuple(boxes), fill=fill % 4, key=cells.printable(name)))
    listed = ", ".join(map(cells.printable, names))
    return Chart(
        title=f"{ORIGINS[record.provenance]}energy of each round".capitalize() + " by channel",
        caption=(f"from below: {listed}",),
        x=_numbers(len(record.rounds)),
        y=linear_axis([highest_j], "J", label=joules_label(record.provenance, "round"), has_zero=True),
        layers=tuple(layers),
    )
