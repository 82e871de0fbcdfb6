"""What a call of the work does otherwise than in its baseline's sessions. Pure; the words are `count_words`'.

Rule 1: equal counts are no change, whatever their order, their seconds and the lines that they come from.
Rule 2: what the code calls otherwise is the code's, unless a switch or another library explains it.
Rule 3: a change inside the library says nothing of the code, and is not judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_energy.baselines.machine import differences
from pytest_energy.counts import OF_THE_LIBRARY, Counts, Kind
from pytest_energy.judgement import Cause, CountChange, CountsComparison, Verdict
from pytest_energy.verdict import count_measures
from pytest_energy.verdict.count_pairs import Pair, paired
from pytest_energy.verdict.count_phrases import OF_THE_CODE, Change, Context
from pytest_energy.verdict.count_places import changed_place
from pytest_energy.verdict.count_ranks import ranks
from pytest_energy.verdict.count_words import CALLERS, lines

MOST_CHANGES = 50
"""Changes that are kept with a judgement; they are counted all."""

_DEVICE = "CUDA"  # in the source of counts, where a device was traced


def compare_counts(
    fresh: Counts,
    baseline: Sequence[Counts],
    *,
    facts: Mapping[str, tuple[str, str]],
    tolerance: float,
    is_judged: bool,
) -> CountsComparison | None:
    """*fresh* against the sessions of a baseline, the oldest first; `None` without any.

    Args:
        fresh: Of the run.
        baseline: Sessions of the level that judges.
        facts: Facts of machine and libraries that differ from the newest session: name to (then, now).
        tolerance: Accepted rise of each measure, a share.
        is_judged: Whether the verdict of the test hangs on it.
    """
    if not baseline:
        return None
    alike = [session for session in baseline if session.source == fresh.source]
    if not alike:
        return _counted_otherwise(fresh, baseline, tolerance=tolerance, is_judged=is_judged)
    pairs = paired(fresh, alike)
    switches = differences(alike[-1].settings, fresh.settings)
    context = Context(
        settings=switches,
        facts=_without_code(facts),
        is_same_code=OF_THE_CODE.isdisjoint(facts),
        has_device=_DEVICE in fresh.source,
    )
    rises = count_measures.rises(pairs, tolerance)
    ranked = zip(pairs, ranks(pairs, rises, has_device=context.has_device), strict=True)
    found = [_change(pair, rank, context) for pair, rank in ranked if pair.is_changed]
    changes = sorted(_unfolded(found, context), key=_order)
    excused = {change.pair.key for change in changes if change.cause is Cause.LIBRARY}
    judged = [replace(pair, after=pair.before) if pair.key in excused else pair for pair in pairs]
    verdict = _verdict(pairs, judged, tolerance)
    return CountsComparison(
        entry_count=len(alike),
        changes=tuple(_as_value(change) for change in changes[:MOST_CHANGES]),
        change_count=len(changes),
        settings=switches,
        weight_ratio=count_measures.weight_ratio(pairs),
        rises=count_measures.rises(judged, tolerance),
        tolerance=tolerance,
        verdict=verdict,
        is_judged=is_judged,
        is_repeating=fresh.is_repeating and all(session.is_repeating for session in alike),
        lines=lines(changes, context, is_fall=verdict is Verdict.IMPROVEMENT),
    )


def _counted_otherwise(
    fresh: Counts, baseline: Sequence[Counts], *, tolerance: float, is_judged: bool
) -> CountsComparison:
    line = f"counts not compared: counted by {fresh.source}, before by {baseline[-1].source}"
    return CountsComparison(
        entry_count=len(baseline),
        tolerance=tolerance,
        verdict=Verdict.NOT_COMPARABLE,
        is_judged=is_judged,
        lines=(line,),
    )


def _without_code(facts: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {name: pair for name, pair in facts.items() if name not in OF_THE_CODE}


def _change(pair: Pair, rank: float, context: Context) -> Change:
    place = changed_place(pair.before, pair.after)
    return Change(pair=pair, cause=_cause(pair, context), place=place, rank=rank)


def _cause(pair: Pair, context: Context) -> Cause:
    if pair.is_of_settings:
        return Cause.SETTING
    if pair.kind not in OF_THE_LIBRARY:
        is_library = context.is_same_code and any(name in context.facts for name in _callers(pair.kind))
        return Cause.LIBRARY if is_library else Cause.CODE
    if context.settings:
        return Cause.SETTING
    return Cause.LIBRARY if context.facts else Cause.UNKNOWN


def _callers(kind: Kind) -> tuple[str, ...]:
    return (*CALLERS, "python") if kind is Kind.FUNCTION else CALLERS


def _unfolded(changes: Sequence[Change], context: Context) -> list[Change]:
    """*changes*, without what runs inside operators that the code calls otherwise."""
    is_code = any(change.cause is Cause.CODE for change in changes)
    if not is_code or context.facts:
        return list(changes)
    return [change for change in changes if change.pair.kind not in OF_THE_LIBRARY]


def _order(change: Change) -> tuple[bool, int, float, int, str, str]:
    """Rises before falls, each with the heaviest first; equal ones by their names."""
    pair, rank = change.pair, change.rank
    order = 0 if rank > 0 else 2 if rank < 0 else 1
    is_inner = pair.kind in OF_THE_LIBRARY
    return is_inner, order, -abs(rank), -abs(pair.count_rise), pair.name, pair.dtype


def _verdict(pairs: Sequence[Pair], judged: Sequence[Pair], tolerance: float) -> Verdict:
    """Of the code alone; where only a library's own calls rose, nobody can tell."""
    if count_measures.rises(judged, tolerance):
        return Verdict.REGRESSION
    if count_measures.rises(pairs, tolerance):
        return Verdict.NOT_COMPARABLE
    return Verdict.IMPROVEMENT if count_measures.is_fall(judged, tolerance) else Verdict.PASS


def _as_value(change: Change) -> CountChange:
    pair = change.pair
    return CountChange(
        kind=pair.kind,
        name=pair.name,
        dtype=pair.dtype,
        before=pair.before.counts,
        after=pair.after.counts,
        weight_s=pair.weight_rise_s,
        inputs=(pair.before.example, pair.after.example) if pair.has_other_inputs else None,
        place="" if change.place is None else change.place.text,
        cause=change.cause,
    )
