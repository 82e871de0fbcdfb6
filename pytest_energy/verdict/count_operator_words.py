"""Operators that run more or less often, instead of others, or on other inputs: a sentence for each edit."""

import re
from collections.abc import Iterator, Sequence

from pytest_energy.verdict.count_layouts import is_along_other_than_last
from pytest_energy.verdict.count_names import (
    is_backward,
    more_times_text,
    names_text,
    stem,
    times_text,
)
from pytest_energy.verdict.count_pairs import Pair
from pytest_energy.verdict.count_phrases import Change, at_text, names_of, not_text, run_word, sum_of

_COPIES = frozenset({"to", "to_copy", "clone", "contiguous", "copy", "cat", "stack"})
"""Operators that compute nothing: what they are given stands in memory once more."""

# Of an example of an operator's inputs: tensors, and what else is said.
_PARTS = re.compile(r"(?:\d+ x )?\[[^\]]*\][^,]*|[^,\s][^,]*")


def edits(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Changes of one edit together: operators on another type, more or fewer calls, calls on other inputs."""
    for group in _groups([change for change in changes if change.pair.count_rise]):
        more = {change.pair.name for change in group if change.pair.count_rise > 0}
        less = {change.pair.name for change in group if change.pair.count_rise < 0}
        retyped = [change for change in group if change.pair.name in more & less]
        rest = [change for change in group if change.pair.name not in more & less]
        yield from filter(None, (retyped, rest))
    yield from _groups([change for change in changes if not change.pair.count_rise])


def _groups(changes: Sequence[Change]) -> list[list[Change]]:
    """*changes* that have a place or a stem in common; a node of a backward pass goes with its operator."""
    groups: list[list[Change]] = []
    for change in sorted(changes, key=lambda one: is_backward(one.pair.name)):
        mine = next((group for group in groups if _is_of(change, group)), None)
        if mine is None:
            groups.append([change])
        else:
            mine.append(change)
    return groups


def _is_of(change: Change, group: Sequence[Change]) -> bool:
    place, name = change.place, stem(change.pair.name)
    if place is None:
        return any(other.place is None or stem(other.pair.name) == name for other in group)
    return any(other.place is not None and other.place.is_same_function(place) for other in group)


def on_operators(group: Sequence[Change]) -> str:
    """What runs more, or less, or in place of something else; its backward pass is not named."""
    heaviest = sorted(group, key=lambda change: -abs(change.rank))
    forward = [change for change in heaviest if not is_backward(change.pair.name)] or heaviest
    more = [change for change in forward if change.pair.count_rise > 0]
    less = [change for change in forward if change.pair.count_rise < 0]
    if more and less:
        return _on_swap(more, less)
    if more or less:
        return _on_counts(more or less)
    return _on_inputs(forward[0])


def _on_swap(more: Sequence[Change], less: Sequence[Change]) -> str:
    rise = sum(change.pair.count_rise for change in more)
    what = f"{names_of(more)} {run_word(more)}"
    if {change.name for change in more} == {change.name for change in less}:
        then, now = (names_text([change.pair.dtype or "no type" for change in side]) for side in (less, more))
        return f"{what} in {now}, not in {then}, {times_text((rise, rise))} per call{at_text(more[0].place)}"
    if more[0].place is None:
        fall = -sum(change.pair.count_rise for change in less)
        return f"{what} {more_times_text(rise)} per call, {names_of(less)} {more_times_text(-fall)}"
    return f"{what} {more_times_text(rise)} per call instead of {names_of(less)}{at_text(more[0].place)}"


def _on_counts(group: Sequence[Change]) -> str:
    if len({change.name for change in group}) == 1:
        return _on_count(group)
    rise = sum(change.pair.count_rise for change in group)
    return f"{names_of(group)} run {more_times_text(rise)} per call{at_text(group[0].place)}"


def _on_count(group: Sequence[Change]) -> str:
    """Of one operator, on one type of numbers or several."""
    before = sum_of(change.pair.before.counts for change in group)
    after = sum_of(change.pair.after.counts for change in group)
    name, place = group[0].name, group[0].place
    verb = "copies" if stem(group[0].pair.name) in _COPIES else "runs"
    if after == (0, 0):
        return f"{name} no longer runs, before {times_text(before)} per call{at_text(place)}"
    has_rest = len(group) == 1 and before != (0, 0)
    return f"{name} {verb} {times_text(after)} per call, {not_text(before)}{at_text(place, adds=has_rest)}"


def _on_inputs(change: Change) -> str:
    """The same calls on something else: how much more, and on what."""
    pair = change.pair
    then, now = pair.before.example, pair.after.example
    amount = _growth(pair)
    if is_along_other_than_last(pair.name, now) and not is_along_other_than_last(pair.name, then):
        amount = ", along a dimension that is not the last"
    return f"{change.name} works {_on_text(then, now)}{amount}{at_text(change.place)}"


def _on_text(then: str, now: str) -> str:
    added, removed = other_parts(now, then), other_parts(then, now)
    if added and removed:
        return f"on {added}, not {removed}"
    if added:
        return f"on {added} too"
    return f"no longer on {removed}" if removed else "on other inputs"


def other_parts(example: str, other: str) -> str:
    """What of an example the other one has not: one tensor, and what is said behind the tensors."""
    others = _PARTS.findall(other)
    parts = [part for part in _PARTS.findall(example) if part not in others]
    tensors = [part for part in parts if "[" in part]
    return ", ".join([*tensors[:1], *(part for part in parts if "[" not in part)])


def _growth(pair: Pair) -> str:
    for name, before, after in (
        ("operations", pair.before.flops, pair.after.flops),
        ("bytes", pair.before.sizes_bytes, pair.after.sizes_bytes),
    ):
        if before[1] > 0 and after[0] > 0 and not before[0] <= after[0] <= before[1]:
            return f", {after[0] / before[1]:.3g} x the {name}"
    return ""
