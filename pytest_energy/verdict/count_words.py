"""What the counts say, in at most two lines: the worst first, the number before the reason.

Rule 1: a line is in the user's terms: what is called, how often, and where in the user's code.
Rule 2: what one edit of the code changes is one line: an operator and its backward pass, the calls that
    replace another, the nodes that are recorded for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_energy.counts import OF_THE_LIBRARY, Kind
from pytest_energy.judgement import Cause
from pytest_energy.verdict.count_names import (
    NOTHING,
    copy_name,
    is_backward,
    more_times_text,
    number_text,
    size_text,
    times_text,
    wait_name,
)
from pytest_energy.verdict.count_operator_words import edits, on_operators
from pytest_energy.verdict.count_phrases import (
    Change,
    Context,
    at_text,
    differences_text,
    names_of,
    not_text,
    run_word,
    sum_of,
)
from pytest_energy.verdict.count_weights import (
    CONVOLUTIONS,
    PRECISION,
    is_product,
    is_region,
    is_replay,
    is_tf32,
)

MOST_LINES = 2

CALLERS = ("torch", "torchvision", "transformers", "vllm", "pytest_energy")
"""Libraries whose own Python code calls operators, such as optimisers and layers; and what counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sentence:
    """A line, and by how much what it tells of rose."""

    text: str
    rank: float


def lines(changes: Sequence[Change], context: Context, *, is_fall: bool) -> tuple[str, ...]:
    """At most two lines on *changes*, the worst first, or of a fall the best; none if nothing differs."""
    of_code = [change for change in changes if change.pair.kind not in OF_THE_LIBRARY]
    inner = [change for change in changes if change.pair.kind in OF_THE_LIBRARY]
    found = list(_on_code(of_code, context))
    found.sort(key=lambda sentence: sentence.rank, reverse=not is_fall)
    is_ranked = any(sentence.rank for sentence in found)  # what weighs nothing only follows from the rest
    texts = [sentence.text for sentence in found if sentence.rank or not is_ranked]
    if inner:
        texts.append(_on_inner(inner, context, has_code=bool(of_code)))
    elif context.settings and not any(change.cause is Cause.SETTING for change in of_code):
        texts.append(f"a setting differs: {differences_text(context.settings)}")
    return tuple(texts[:MOST_LINES])


def _on_code(changes: Sequence[Change], context: Context) -> Iterator[_Sentence]:
    """A sentence for each thing that the code does otherwise."""
    by_kind: dict[Kind, list[Change]] = {}
    for change in changes:
        if change.cause is not Cause.SETTING:
            by_kind.setdefault(change.pair.kind, []).append(change)
    operators = by_kind.pop(Kind.OPERATOR, [])
    for change in by_kind.pop(Kind.GRAPH, []):
        yield _sentence(_on_one(change, operators), [_told_first(change, operators)], context)
    for group in edits(operators):
        yield _sentence(on_operators(group), group, context)
    if any(change.pair.is_of_settings for change in changes):
        group = [change for change in changes if change.pair.is_of_settings]
        yield _Sentence(text=_on_precision(group, context), rank=_rank(group))
    for kind, group in by_kind.items():
        if kind is Kind.GRADIENT and operators and all(change.pair.before.counts[1] for change in group):
            continue  # as many nodes as the operators take
        if kind is Kind.WAIT:
            yield _sentence(_on_waits(group, context), group, context)
        elif kind is Kind.FUNCTION:
            yield from (_sentence(_on_functions(edit), edit, context) for edit in edits(group))
        else:
            yield from (_sentence(_on_one(change, operators), [change], context) for change in group)


def _told_first(change: Change, operators: Sequence[Change]) -> Change:
    """*change*, ranked as all *operators* where they came or went in the place of captured graphs."""
    of_operators = _rank(operators)
    is_in_place = change.pair.count_rise * of_operators < 0
    return replace(change, rank=of_operators) if is_replay(change.pair.name) and is_in_place else change


def _sentence(text: str, group: Sequence[Change], context: Context) -> _Sentence:
    """*text*, with the library that calls otherwise by itself."""
    callers = {name: context.facts[name] for name in CALLERS if name in context.facts}
    if group[0].cause is Cause.LIBRARY:
        text = f"{text} ({differences_text(context.facts)})"
    elif callers and group[0].pair.kind is Kind.OPERATOR:
        text = f"{text} ({differences_text(callers)} may be the cause)"
    return _Sentence(text=text, rank=_rank(group))


def _rank(group: Iterable[Change]) -> float:
    return sum(change.rank for change in group)


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
    return f"{names_of(group)} {run_word(group)} differently ({differences_text(context.settings)})"


def _on_waits(group: Sequence[Change], context: Context) -> str:
    """All waits that changed, by the heaviest."""
    before = sum_of(change.pair.before.counts for change in group)
    after = sum_of(change.pair.after.counts for change in group)
    heaviest = max(group, key=lambda change: abs(change.rank))
    what = "the host waits for the GPU" if context.has_device else "a value is read out of a tensor"
    why = "" if context.has_device else " (on a GPU the host waits for it)"
    place = "" if heaviest.place is None else f" at {heaviest.place.with_function}"
    if after == (0, 0):
        what = (
            "the host no longer waits for the GPU"
            if context.has_device
            else "no value is read out of a tensor"
        )
        return f"{what}, before {times_text(before)} per call: {wait_name(heaviest.pair.name)}{place}"
    now = f"{what} {times_text(after)} per call, {not_text(before)}{why}"
    return f"{now}: {wait_name(heaviest.pair.name)}{place}"


def _on_functions(group: Sequence[Change]) -> str:
    """Functions of Python that are called more often or less from one place."""
    if len(group) == 1:
        pair, place = group[0].pair, at_text(group[0].place)
        if pair.after.counts == (0, 0):
            return f"{pair.name} is no longer called, before {times_text(pair.before.counts)}{place}"
        return f"{pair.name} is called {times_text(pair.after.counts)}, {not_text(pair.before.counts)}{place}"
    heaviest = sorted(group, key=lambda change: -abs(change.rank))
    rise = sum(change.pair.count_rise for change in group)
    return f"{names_of(heaviest)} are called {more_times_text(rise)}{at_text(heaviest[0].place)}"


def _on_one(change: Change, operators: Sequence[Change]) -> str:
    """A change of a kind of which each stands by itself."""
    pair = change.pair
    match pair.kind:
        case Kind.COPY:
            return _on_copy(change)
        case Kind.GRADIENT:
            return _on_gradients(change, has_backward=any(is_backward(one.pair.name) for one in operators))
        case Kind.GRAPH if is_replay(pair.name):
            return _on_replays(change)
        case Kind.GRAPH:
            now = (
                f"{_no_or_number(pair.after.counts)} {pair.name}{'' if pair.after.counts == (1, 1) else 's'}"
            )
            why = ", from a graph break" if is_region(pair.name) and pair.before.counts[1] else ""
            then = f"before {number_text(pair.before.counts)}"
            return f"torch.compile: {now} per call, {then}{why}{at_text(change.place)}"
        case Kind.REQUEST:
            return f"{_no_or_number(pair.after.counts)} {pair.name}, before {number_text(pair.before.counts)}"
        case _:
            raise NotImplementedError(f"{pair.kind} has no words")


def _no_or_number(counts: tuple[int, int]) -> str:
    """As it stands before what is counted."""
    return number_text(counts) if counts[1] else "no"


def _on_replays(change: Change) -> str:
    """Captured graphs of CUDA: without them each kernel is launched by itself."""
    after, before = change.pair.after.counts, change.pair.before.counts
    if after == (0, 0):
        text = f"no captured CUDA graph is replayed, before {times_text(before)} per call"
        return text + at_text(change.place)
    text = f"captured CUDA graphs are replayed {times_text(after)} per call, {not_text(before)}"
    return text + at_text(change.place)


def _on_copy(change: Change) -> str:
    pair, name = change.pair, copy_name(change.pair.name)
    if not pair.size_rise_bytes:
        times = f"{times_text(pair.after.counts)} {name}, {not_text(pair.before.counts)}"
        return f"each call copies {times}{at_text(change.place)}"
    after, before = (size_text(side.sizes_bytes[0]) for side in (pair.after, pair.before))
    now = "nothing" if after == NOTHING else after
    return f"each call copies {now} {name}, before {before}{at_text(change.place)}"


def _on_gradients(change: Change, *, has_backward: bool) -> str:
    pair = change.pair
    after, before = _no_or_number(pair.after.counts), number_text(pair.before.counts)
    nodes = "node is" if pair.after.counts == (1, 1) else "nodes are"
    text = f"{after} {nodes} recorded for a backward pass, before {before}"
    if pair.before.counts != (0, 0) or has_backward:
        return text + at_text(change.place)
    place = "" if change.place is None else f" around {change.place.with_function}"
    return f"{text}: no_grad is missing{place}"


# ---- what runs inside ----


def _on_inner(changes: Sequence[Change], context: Context, *, has_code: bool) -> str:
    """The same calls that run otherwise, and what may explain it."""
    kinds = {change.pair.kind for change in changes}
    what = "other kernels" if Kind.KERNEL in kinds else "other operators inside"
    if kinds <= {Kind.ALLOCATION}:
        what = "other memory"
    start = f"also {what}" if has_code else f"same calls, {what}"
    if explained := {**context.settings, **context.facts}:
        return f"{start}: {differences_text(explained)}"
    operators = sorted((change for change in changes if change.pair.kind is Kind.INNER), key=_says_little)
    more = names_of([change for change in operators if change.pair.count_rise > 0])
    less = names_of([change for change in operators if change.pair.count_rise < 0])
    if not operators:
        return f"{start}, and no recorded fact differs"
    return f"{start}: {more or 'nothing'} instead of {less}" if less else f"{start}: {more} in addition"


def _says_little(change: Change) -> tuple[bool, float]:
    """Order of operators that run inside: products first, as attention is one; then what takes long."""
    pair = change.pair
    return not is_product(pair.name), -max(pair.before.duration_s, pair.after.duration_s)
