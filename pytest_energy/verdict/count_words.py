"""What the counts say, in at most two lines: the worst first, the number before the reason.

Rule 1: a line is in the user's terms: what is called, how often, and where in the user's code.
Rule 2: what one edit of the code changes is one line: an operator and its backward pass, the calls that
    stand in place of another, the nodes that are recorded for them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_energy.counts import OF_THE_LIBRARY, Kind
from pytest_energy.judgement import Cause
from pytest_energy.verdict.count_layouts import is_along_other_than_last
from pytest_energy.verdict.count_names import (
    NOTHING,
    copy_name,
    is_backward,
    names_text,
    number_text,
    plain_name,
    size_text,
    stem,
    times_text,
    wait_name,
)
from pytest_energy.verdict.count_pairs import Pair
from pytest_energy.verdict.count_places import ChangedPlace
from pytest_energy.verdict.count_weights import CONVOLUTIONS, PRECISION, is_region, is_tf32

MOST_LINES = 2

_MOST_FACTS = 3  # of what may explain other kernels

# Of these facts the first explains most.
_FACTS = ("torch", "cuda", "cudnn", "driver", "gpu_model", "cpu_model", "python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A pair that differs.

    Attributes:
        cause: Why it does.
        place: Where; `None` where nobody tells.
        rise_s: What it is ranked by.
    """

    pair: Pair
    cause: Cause
    place: ChangedPlace | None
    rise_s: float

    @property
    def name(self) -> str:
        return plain_name(self.pair.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What may explain changes.

    Attributes:
        settings: Switches that differ.
        facts: Facts of machine and libraries that differ, those of the code left out.
        is_same_code: Whether those of the code differ not.
        has_device: Whether a device was traced beside the host.
    """

    settings: Mapping[str, tuple[str, str]]
    facts: Mapping[str, tuple[str, str]]
    is_same_code: bool
    has_device: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    """A line, and by how much what it tells of rose."""

    text: str
    rise_s: float


def lines(changes: Sequence[Change], context: Context) -> tuple[str, ...]:
    """At most two lines on *changes*, the worst first; none where nothing differs."""
    of_code = [change for change in changes if change.pair.kind not in OF_THE_LIBRARY]
    inner = [change for change in changes if change.pair.kind in OF_THE_LIBRARY]
    found = list(_on_code(of_code, context))
    is_fall = sum(sentence.rise_s for sentence in found) < 0
    found.sort(key=lambda sentence: sentence.rise_s, reverse=not is_fall)
    texts = [sentence.text for sentence in found]
    if inner:
        texts.append(_on_inner(inner, context, has_code=bool(of_code)))
    elif context.settings and not any(change.cause is Cause.SETTING for change in of_code):
        texts.append(f"a setting differs: {_differences(context.settings)}")
    return tuple(texts[:MOST_LINES])


def _on_code(changes: Sequence[Change], context: Context) -> Iterator[_Sentence]:
    """A sentence for each thing that the code does otherwise."""
    by_kind: dict[Kind, list[Change]] = {}
    for change in changes:
        if change.cause is not Cause.SETTING:
            by_kind.setdefault(change.pair.kind, []).append(change)
    operators = by_kind.pop(Kind.OPERATOR, [])
    for group in _groups(operators):
        yield _sentence(_on_operators(group), group, context)
    if any(change.pair.is_of_settings for change in changes):
        group = [change for change in changes if change.pair.is_of_settings]
        yield _Sentence(text=_on_precision(group, context), rise_s=_rise_s(group))
    for kind, group in by_kind.items():
        if kind is Kind.GRADIENT and operators and all(change.pair.before.counts[1] for change in group):
            continue  # as many nodes as the operators take
        if kind is Kind.WAIT:
            yield _sentence(_on_waits(group, context), group, context)
        else:
            yield from (_sentence(_on_one(change, operators), [change], context) for change in group)


def _sentence(text: str, group: Sequence[Change], context: Context) -> _Sentence:
    """*text*, with the library that calls otherwise by itself."""
    if group[0].cause is Cause.LIBRARY:
        text = f"{text} ({_differences(context.facts)})"
    return _Sentence(text=text, rise_s=_rise_s(group))


def _rise_s(group: Iterable[Change]) -> float:
    return sum(change.rise_s for change in group)


# ---- operators ----


def _groups(changes: Sequence[Change]) -> list[list[Change]]:
    """Changes of one edit together: they have a place or a stem in common."""
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
        return any(stem(other.pair.name) == name for other in group)
    return any(other.place is not None and other.place.is_same_function(place) for other in group)


def _on_operators(group: Sequence[Change]) -> str:
    """What runs more, or less, or in place of something else; its backward pass goes without saying."""
    forward = [change for change in group if not is_backward(change.pair.name)] or list(group)
    more = [change for change in forward if change.pair.count_rise > 0]
    less = [change for change in forward if change.pair.count_rise < 0]
    if more and less:
        return _on_swap(more, less)
    if more or less:
        return _on_counts(more or less)
    return _on_inputs(max(forward, key=lambda change: abs(change.rise_s)))


def _on_swap(more: Sequence[Change], less: Sequence[Change]) -> str:
    rise = sum(change.pair.count_rise for change in more)
    times, what = times_text((rise, rise)), f"{_names(more)} {_run(more)}"
    if {change.name for change in more} == {change.name for change in less}:
        then, now = (names_text([change.pair.dtype or "no type" for change in side]) for side in (less, more))
        return f"{what} in {now}, not in {then}, {times} a call{_at(more[0].place)}"
    return f"{what} {times} more a call in place of {_names(less)}{_at(more[0].place)}"


def _on_counts(group: Sequence[Change]) -> str:
    if len(group) == 1:
        return _on_count(group[0])
    count = abs(sum(change.pair.count_rise for change in group))
    word = "more" if group[0].pair.count_rise > 0 else "less"
    return f"{_names(group)} run {times_text((count, count))} {word} a call{_at(group[0].place)}"


def _on_count(change: Change) -> str:
    before, after = change.pair.before.counts, change.pair.after.counts
    if after == (0, 0):
        return f"{change.name} no longer runs, before {times_text(before)} a call{_at(change.place)}"
    now = f"{change.name} runs {times_text(after)} a call, {_not(before)}"
    return now + _at(change.place, adds=before != (0, 0))


def _on_inputs(change: Change) -> str:
    """The same calls on something else: how much more, and on what."""
    pair = change.pair
    amount = _growth(pair)
    inputs = ""
    if pair.before.example != pair.after.example and pair.after.example:
        inputs = f" on {pair.after.example}, not {pair.before.example or 'what it was'}"
    along = ""
    if is_along_other_than_last(pair.name, pair.after.example) and not is_along_other_than_last(
        pair.name, pair.before.example
    ):
        along = ", along a dimension that is not the last"
    return f"{change.name} works{inputs or ' on other inputs'}{along or amount}{_at(change.place)}"


def _growth(pair: Pair) -> str:
    for name, before, after in (
        ("operations", pair.before.flops, pair.after.flops),
        ("bytes", pair.before.sizes_bytes, pair.after.sizes_bytes),
    ):
        if before[1] > 0 and after[0] > 0 and not before[0] <= after[0] <= before[1]:
            return f", {after[0] / before[1]:.3g} x the {name}"
    return ""


def _names(group: Sequence[Change]) -> str:
    heaviest = sorted(group, key=lambda change: -abs(change.rise_s))
    return names_text([change.name for change in heaviest])


def _run(group: Sequence[Change]) -> str:
    return "runs" if len({change.name for change in group}) == 1 else "run"


def _at(place: ChangedPlace | None, *, adds: bool = False) -> str:
    """Where, and how many calls that place has more or fewer."""
    if place is None:
        return ""
    if not adds or not place.rise:
        return f": {place.with_function}"
    return f": {place.with_function} {'adds' if place.rise > 0 else 'drops'} {abs(place.rise)}"


# ---- other kinds ----


def _on_precision(group: Sequence[Change], context: Context) -> str:
    """Float32 products at another rate."""
    for switch, what in ((PRECISION, "products"), (CONVOLUTIONS, "convolutions")):
        if switch in context.settings:
            old, new = context.settings[switch]
            now, then = "at full precision", "as TF32"
            if is_tf32({switch: new}, what):
                now, then = then, now
            return f"float32 {what} run {now}, not {then} ({switch}: {old} -> {new})"
    return f"{_names(group)} {_run(group)} otherwise ({_differences(context.settings)})"


def _on_waits(group: Sequence[Change], context: Context) -> str:
    """All waits that changed, by the heaviest."""
    before = _sum(change.pair.before.counts for change in group)
    after = _sum(change.pair.after.counts for change in group)
    heaviest = max(group, key=lambda change: abs(change.rise_s))
    what = "the host waits for the GPU" if context.has_device else "a value is read out of a tensor"
    why = "" if context.has_device else " (on a GPU the host waits for it)"
    place = "" if heaviest.place is None else f" at {heaviest.place.with_function}"
    now = f"{what} {times_text(after)} a call, {_not(before)}{why}"
    return f"{now}: {wait_name(heaviest.pair.name)}{place}"


def _sum(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    least, most = zip(*counts, strict=True)
    return sum(least), sum(most)


def _not(counts: tuple[int, int]) -> str:
    if counts == (0, 0):
        return "before not at all"
    return f"not {times_text(counts).removesuffix(' times')}"


def _on_one(change: Change, operators: Sequence[Change]) -> str:
    """A change of a kind of which each stands by itself."""
    pair = change.pair
    match pair.kind:
        case Kind.COPY:
            return _on_copy(change)
        case Kind.GRADIENT:
            return _on_gradients(change, has_backward=any(is_backward(one.pair.name) for one in operators))
        case Kind.GRAPH:
            now = f"{number_text(pair.after.counts)} {pair.name}{'' if pair.after.counts == (1, 1) else 's'}"
            why = ", which a graph break makes" if is_region(pair.name) and pair.before.counts[1] else ""
            then = f"before {number_text(pair.before.counts)}"
            return f"torch.compile: {now} a call, {then}{why}{_at(change.place)}"
        case Kind.REQUEST:
            return f"{number_text(pair.after.counts)} {pair.name}, before {number_text(pair.before.counts)}"
        case _:
            return f"{pair.name} is called {times_text(pair.after.counts)}, {_not(pair.before.counts)}"


def _on_copy(change: Change) -> str:
    pair, name = change.pair, copy_name(change.pair.name)
    if not pair.size_rise_bytes:
        times = f"{times_text(pair.after.counts)} {name}, {_not(pair.before.counts)}"
        return f"each call copies {times}{_at(change.place)}"
    after, before = (size_text(side.sizes_bytes[0]) for side in (pair.after, pair.before))
    now = "nothing" if after == NOTHING else after
    return f"each call copies {now} {name}, before {before}{_at(change.place)}"


def _on_gradients(change: Change, *, has_backward: bool) -> str:
    pair = change.pair
    after, before = number_text(pair.after.counts), number_text(pair.before.counts)
    text = f"{after} nodes are recorded for a backward pass, before {before}"
    if pair.before.counts != (0, 0) or has_backward:
        return text + _at(change.place)
    return f"{text}: no_grad is missing" + (
        "" if change.place is None else f" at {change.place.with_function}"
    )


# ---- what runs inside ----


def _on_inner(changes: Sequence[Change], context: Context, *, has_code: bool) -> str:
    """The same calls that run otherwise, and what may explain it."""
    kinds = {change.pair.kind for change in changes}
    what = "other kernels" if Kind.KERNEL in kinds else "other operators inside"
    if kinds <= {Kind.ALLOCATION}:
        what = "other memory"
    start = f"beside it, {what}" if has_code else f"same calls, {what}"
    explained = {**context.settings, **context.facts}
    return f"{start}: {_differences(explained)}" if explained else f"{start}; nothing that is known differs"


def _differences(pairs: Mapping[str, tuple[str, str]]) -> str:
    """Those that explain most, and how many more."""
    names = sorted(pairs, key=lambda name: _FACTS.index(name) if name in _FACTS else len(_FACTS))
    texts = [f"{name} {pairs[name][0]} -> {pairs[name][1]}" for name in names[:_MOST_FACTS]]
    more = [f"{len(names) - _MOST_FACTS} more"] if len(names) > _MOST_FACTS else []
    return ", ".join([*texts, *more])
