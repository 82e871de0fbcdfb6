"""Counts of two sides, entry beside entry.

Rule 1: an entry is matched by what it is, never by where it stands in a list.
Rule 2: what several sessions or traces differ in is an interval; two intervals that meet are no difference.
Rule 3: an entry that a side has left out is unknown there, not zero.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_energy.counts import OF_THE_LIBRARY, CallPlace, CountEntry, Counts, Kind
from pytest_energy.verdict.count_weights import (
    calls_weight_s,
    disordered_bytes,
    full_precision_flops,
    weight_s,
)

Span = tuple[float, float]
"""Least and most."""

Key = tuple[Kind, str, str]

Session = tuple[CountEntry | None, Mapping[str, str]]
"""What a session counted of one thing, and its settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of one thing a side did.

    Attributes:
        counts: Least and most of the sessions.
        weights_s: The same of its weight.
        sizes_bytes: The same of its bytes.
        flops: The same of its operations.
        full_precision_flops: The same of those at full precision.
        disordered_bytes: The same of bytes that don't lie as they are read.
        inputs: Digests of its inputs, one for each session that tells; empty if nobody does.
        example: Inputs of its largest call, of the newest session.
        duration_s: Of the newest session.
        places: Of the newest session.
    """

    counts: tuple[int, int] = (0, 0)
    weights_s: Span = (0.0, 0.0)
    sizes_bytes: Span = (0.0, 0.0)
    flops: Span = (0.0, 0.0)
    full_precision_flops: Span = (0.0, 0.0)
    disordered_bytes: Span = (0.0, 0.0)
    inputs: frozenset[str] = frozenset()
    example: str = ""
    duration_s: float = 0.0
    places: tuple[CallPlace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One thing on both sides.

    Attributes:
        before: In the sessions of the baseline.
        after: Now.
    """

    kind: Kind
    name: str
    dtype: str
    before: Amounts
    after: Amounts

    @property
    def key(self) -> Key:
        return self.kind, self.name, self.dtype

    @property
    def count_rise(self) -> int:
        """By how many calls it surely rose; negative where it fell."""
        return int(gap(self.before.counts, self.after.counts))

    @property
    def weight_rise_s(self) -> float:
        return gap(self.before.weights_s, self.after.weights_s)

    @property
    def size_rise_bytes(self) -> float:
        return gap(self.before.sizes_bytes, self.after.sizes_bytes)

    @property
    def has_other_inputs(self) -> bool:
        """Whether both sides tell its inputs, and no session has those of now."""
        before, after = self.before.inputs, self.after.inputs
        return bool(before and after) and before.isdisjoint(after)

    @property
    def is_changed(self) -> bool:
        return not self._is_same_work or self._is_heavier_or_lighter

    @property
    def is_of_settings(self) -> bool:
        """Whether the work is the same and only its weight is not: the switches are."""
        return self._is_same_work and self._is_heavier_or_lighter

    @property
    def _is_same_work(self) -> bool:
        flops_rise = gap(self.before.flops, self.after.flops)
        return not (self.count_rise or self.size_rise_bytes or flops_rise or self.has_other_inputs)

    @property
    def _is_heavier_or_lighter(self) -> bool:
        precise_rise = gap(self.before.full_precision_flops, self.after.full_precision_flops)
        return bool(self.weight_rise_s or precise_rise)


def gap(before: Span, after: Span) -> float:
    """By how much *after* surely lies above *before*; negative where below, 0 where the intervals meet."""
    if after[0] > before[1]:
        return after[0] - before[1]
    return min(after[1] - before[0], 0.0)


def paired(fresh: Counts, baseline: Sequence[Counts]) -> tuple[Pair, ...]:
    """Every entry that both sides can tell of, *baseline* the oldest session first."""
    sessions = [_by_key(counts) for counts in baseline]
    now = _by_key(fresh)
    keys = dict.fromkeys(key for entries in (now, *reversed(sessions)) for key in entries)
    pairs = []
    for key in keys:
        then = [
            (entries.get(key), counts.settings)
            for entries, counts in zip(sessions, baseline, strict=True)
            if key in entries or _is_whole(counts, key[0])
        ]
        if then and (key in now or _is_whole(fresh, key[0])):
            pairs.append(_pair(key, then, now.get(key), fresh.settings))
    return tuple(pairs)


def _by_key(counts: Counts) -> dict[Key, CountEntry]:
    return {entry.key: entry for entry in counts.entries}


def _is_whole(counts: Counts, kind: Kind) -> bool:
    """Whether no entry of *kind* was left out: those of the library are left out before any of the code."""
    if not counts.omitted_count:
        return True
    return kind not in OF_THE_LIBRARY and any(entry.kind in OF_THE_LIBRARY for entry in counts.entries)


def _pair(
    key: Key,
    then: Sequence[Session],
    now: CountEntry | None,
    settings: Mapping[str, str],
) -> Pair:
    kind, name, dtype = key
    known = [entry for entry, _ in (*then, (now, settings)) if entry is not None]
    is_exact = kind is not Kind.OPERATOR or all(entry.inputs for entry in known)
    return Pair(
        kind=kind,
        name=name,
        dtype=dtype,
        before=_amounts(then, is_exact=is_exact),
        after=_amounts([(now, settings)], is_exact=is_exact),
    )


def _amounts(sessions: Sequence[Session], *, is_exact: bool) -> Amounts:
    """Of one side; amounts of inputs that are not known, or not the same in each trace, are left out."""
    entries = [entry for entry, _ in sessions if entry is not None]
    if not entries:
        return Amounts()
    newest = entries[-1]
    only_counted = Amounts(
        counts=_counts(sessions),
        weights_s=_span(sessions, calls_weight_s),
        example=newest.example,
        duration_s=newest.duration_s,
        places=newest.places,
    )
    if not is_exact:
        return only_counted
    return replace(
        only_counted,
        weights_s=_span(sessions, weight_s),
        sizes_bytes=_span(sessions, lambda entry, _: entry.size_bytes),
        flops=_span(sessions, lambda entry, _: entry.flops),
        full_precision_flops=_span(sessions, full_precision_flops),
        disordered_bytes=_span(sessions, disordered_bytes),
        inputs=frozenset(entry.inputs for entry in entries if entry.inputs),
    )


def _counts(sessions: Sequence[Session]) -> tuple[int, int]:
    counts = [(0, 0) if entry is None else entry.bounds for entry, _ in sessions]
    return min(least for least, _ in counts), max(most for _, most in counts)


def _span(sessions: Sequence[Session], amount_of: Callable[[CountEntry, Mapping[str, str]], float]) -> Span:
    ends = [
        (0.0, 0.0) if entry is None else _ends(entry, settings, amount_of) for entry, settings in sessions
    ]
    return min(least for least, _ in ends), max(most for _, most in ends)


def _ends(
    entry: CountEntry,
    settings: Mapping[str, str],
    amount_of: Callable[[CountEntry, Mapping[str, str]], float],
) -> Span:
    """The amount of the least count, and of the most as much more."""
    least = amount_of(entry, settings)
    if entry.most is None:
        return least, least
    if not entry.count:
        return least, amount_of(replace(entry, count=entry.most, most=None), settings)
    return least, least * entry.most / entry.count
