"""The sessions of one baseline on a screen: what each used, how that moved, whether it creeps.

Rule 1: a chart's scale is its own smallest and largest session, and both are written beside it.
Rule 2: a change is that of `stats.compare`, a drift that of `stats.drift`: no second formula.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.baselines.levels import level_of
from pytest_energy.baselines.schema import PINNED_COUNT, Baseline, moment_of
from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Record
from pytest_energy.report.cells import ABSENT, energy, mark_text, percent, printable
from pytest_energy.stats.compare import centre_ratio, summarise
from pytest_energy.stats.drift import creep
from pytest_energy.units import percent_change_text, to_text
from pytest_energy.verdict.figures import count_text

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-~=+*#"  # each fills more of its place than the one before

_HEADERS = ("", "date (UTC)", "commit", "rounds", "energy", "CV", "vs first", "")
_ALIGNMENT = ("right", "left", "left", "right", "right", "right", "right", "left")
_COMMIT_LENGTH = 7  # as git shortens it
_CHART_WIDTH = 60  # sessions a line
_LEAST_FOR_DRIFT = PINNED_COUNT + 2  # one session after the pinned ones may be chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One session of a history.

    Attributes:
        energy_j: Mean joules of a round.
        uncertainty_j: Standard uncertainty of that; `None` if it is unknown.
        cv: Standard deviation of the rounds over their mean; `None` for a single round.
        ratio: To the first session; `None` if one of the two has a round of 0 J.
    """

    record: Record
    energy_j: float
    uncertainty_j: float | None
    cv: float | None
    ratio: float | None


def points(baseline: Baseline) -> tuple[Point, ...]:
    """The sessions of *baseline*, the first accepted first."""
    return tuple(_point(record, baseline.entries[0]) for record in baseline.entries)


def _point(record: Record, first: Record) -> Point:
    energies_j = record.round_energies_j
    mean_j = statistics.fmean(energies_j)
    has_ratio = min(*energies_j, *first.round_energies_j) > 0
    return Point(
        record=record,
        energy_j=mean_j,
        uncertainty_j=_uncertainty_j(record),
        cv=statistics.stdev(energies_j) / mean_j if len(energies_j) > 1 and mean_j > 0 else None,
        ratio=centre_ratio(energies_j, [first.round_energies_j]) if has_ratio else None,
    )


def _uncertainty_j(record: Record) -> float | None:
    own_j = [reading.uncertainty_j for reading in record.rounds if reading.energy_j is not None]
    try:
        return summarise(record.round_energies_j, own_j).uncertainty_j
    except NotMeasurable:
        return None


def render(baseline: Baseline, *, is_ascii: bool) -> str:
    """The history of *baseline* as text, no newline at its end.

    Args:
        baseline: Of one test on one machine.
        is_ascii: Draw the chart in characters that every screen has.
    """
    history = points(baseline)
    count, provenance = len(history), history[0].record.provenance
    lines = [
        printable(baseline.test_id),
        f"on {printable(baseline.machine_key)}: {count_text(count, 'session')}, {provenance}",
        "",
        *_table(history, _marks(baseline)),
        "",
        *(_trend_lines(history, is_ascii=is_ascii) if count > 1 else ()),
        drift_text(baseline),
    ]
    if legend := mark_text(provenance, [history[-1].record.machine]):
        lines.append(legend)
    return "\n".join(lines)


def _marks(baseline: Baseline) -> list[str]:
    """What each session is to the level that judges, in a word or two; nothing for most."""
    level = level_of(baseline.entries)

    def mark(record: Record) -> str:
        if record is level.pending:
            return "not used yet: an improvement that no second session confirms"
        if record in level.pinned:
            return "pinned, a new level" if level.is_new and record is level.entries[0] else "pinned"
        return "" if record in level.entries else "no longer used"

    return [mark(record) for record in baseline.entries]


def _table(history: Sequence[Point], marks: Sequence[str]) -> list[str]:
    from tabulate import tabulate

    rows = [
        [
            str(number),
            _time_text(point.record, "%Y-%m-%d %H:%M"),
            _commit_text(point.record),
            str(len(point.record.round_energies_j)),
            energy(point.record.provenance, point.energy_j, point.uncertainty_j),
            ABSENT if point.cv is None else f"{point.cv * 100:.2g} %",
            ABSENT if point.ratio is None else percent(point.ratio),
            mark,
        ]
        for number, (point, mark) in enumerate(zip(history, marks, strict=True), start=1)
    ]
    text = tabulate([_HEADERS, *rows], tablefmt="plain", disable_numparse=True, colalign=_ALIGNMENT)
    return [line.rstrip() for line in text.splitlines()]


def _commit_text(record: Record) -> str:
    """Short name of the commit, with a `+` where files differed from it."""
    facts = record.machine.varying
    commit = printable(facts.get("git_commit", ABSENT)[:_COMMIT_LENGTH])
    return f"{commit}+" if facts.get("git_dirty") == "yes" else commit


def _trend_lines(history: Sequence[Point], *, is_ascii: bool) -> list[str]:
    energies_j = [point.energy_j for point in history]
    drawn = chart(energies_j, is_ascii=is_ascii)
    pieces = [drawn[start : start + _CHART_WIDTH] for start in range(0, len(drawn), _CHART_WIDTH)]
    pieces[-1] += f"  {to_text(min(energies_j), 'J')} to {to_text(max(energies_j), 'J')}"
    return [f"{'trend' if number == 0 else '     '}  {piece}" for number, piece in enumerate(pieces)]


def chart(values: Sequence[float], *, is_ascii: bool) -> str:
    """One character a value, from the smallest to the largest of them.

    >>> chart([10.0, 10.2, 10.7], is_ascii=True)
    '_.#'
    """
    blocks = ASCII_BLOCKS if is_ascii else BLOCKS
    lowest, highest = min(values), max(values)
    if highest <= lowest:
        return blocks[0] * len(values)
    last = len(blocks) - 1
    return "".join(blocks[round((value - lowest) / (highest - lowest) * last)] for value in values)


def drift_text(baseline: Baseline) -> str:
    """Whether the newest sessions have crept up from the pinned ones, in a sentence."""
    sessions = level_of(baseline.entries).entries
    if len(sessions) < _LEAST_FOR_DRIFT:
        return f"drift  needs {_LEAST_FOR_DRIFT} sessions, the first {PINNED_COUNT} as the reference"
    try:
        drift = creep(
            [statistics.fmean(record.round_energies_j) for record in sessions], pinned_count=PINNED_COUNT
        )
    except NotMeasurable as error:
        return f"drift  not available: {error}"
    if drift is None:
        return f"drift  none beyond chance, compared with the first {PINNED_COUNT} sessions"
    since = PINNED_COUNT + drift.began
    began = sessions[since]
    return (
        f"drift  {percent_change_text(drift.ratio)} compared with the first {PINNED_COUNT} sessions, since "
        f"session "
        f"{baseline.entries.index(began) + 1} ({_time_text(began, '%Y-%m-%d')}, commit {_commit_text(began)})"
    )


def _time_text(record: Record, form: str) -> str:
    return moment_of(record).strftime(form)
