"""What the counts say, in at most two lines: the worst first, the number before the reason.

Rule 1: a line is in the user's terms: what is called, how often, and where in the user's code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_energy.counts import OF_THE_LIBRARY, Kind
from pytest_energy.judgement import Cause
from pytest_energy.verdict.count_pairs import Pair
from pytest_energy.verdict.count_places import ChangedPlace

MOST_LINES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A pair that differs, why, and where."""

    pair: Pair
    cause: Cause
    place: ChangedPlace | None


def lines(
    changes: Sequence[Change],
    *,
    settings: Mapping[str, tuple[str, str]],
    facts: Mapping[str, tuple[str, str]],
) -> tuple[str, ...]:
    """At most two lines on *changes*, the worst first; none where nothing differs."""
    of_code = [change for change in changes if change.pair.kind not in OF_THE_LIBRARY]
    found = [_line(change) for change in of_code]
    if settings:
        found.append(_differences(settings))
    if not of_code and changes and not settings:
        found.append(_same_calls(facts))
    return tuple(found[:MOST_LINES])


def _same_calls(facts: Mapping[str, tuple[str, str]]) -> str:
    if not facts:
        return "same calls, other kernels, and nothing that is known differs"
    return f"same calls, other kernels: {_differences(facts)}"


def _differences(pairs: Mapping[str, tuple[str, str]]) -> str:
    return ", ".join(f"{name} {old} -> {new}" for name, (old, new) in pairs.items())


def _line(change: Change) -> str:
    pair = change.pair
    return f"{_counted(pair)}{_place(change)}"


def _counted(pair: Pair) -> str:
    name = pair.name.removeprefix("aten::")
    before, after = pair.before.counts, pair.after.counts
    verb = "runs" if pair.kind is Kind.OPERATOR else "is counted"
    if not pair.count_rise:
        return f"{name} works on {pair.after.example}, not {pair.before.example}"
    return f"{name} {verb} {_times(after)} a call, not {_times(before)}"


def _times(counts: tuple[int, int]) -> str:
    least, most = counts
    if least != most:
        return f"{least} to {most} times"
    return "once" if least == 1 else f"{least} times"


def _place(change: Change) -> str:
    return "" if change.place is None else f": {change.place.with_function}"
