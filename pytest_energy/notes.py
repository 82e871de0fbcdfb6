"""Notes on readings, one of each kind: sentences that differ only in quantities and names are one kind.

Rule 1: a quantity is a number with its unit, or with what it counts, and is given as the range over all
    sentences, without its uncertainty. Any other number may be a name, and makes another kind.
Rule 2: names are those of channels and of processes, and are listed.
Rule 3: what was merged can be merged again: ranges, lists and counts of rounds are read as they are written.
"""

import re
from collections.abc import Iterable, Sequence

from pytest_energy.units import factor_of

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]\d+)?"
_COUNTED = r"(?:checks?|looks?|rounds?|pairs?|requests?|tokens?|calls?|ticks?|process\(es\)|processes)"
_UNIT = rf"(?:%|degrees C|[numkMG]?(?:[JWsB]|Hz)\b|{_COUNTED}(?!\w)|of(?= \d+ {_COUNTED}))"
_NAME = r"(?:(?:gpu|cpu|dram):[\w-]+|(?<=process )\d+(?=[ ,]))"
_PLUS_MINUS = rf" \+- {_NUMBER}"
_QUANTITY = re.compile(rf"{_NUMBER} \S.*")  # of what stands in a slot: a name has no space
_RANGE = re.compile(rf"(?P<low>{_NUMBER})(?: (?P<unit>{_UNIT}))? to (?P<high>{_NUMBER} (?P<last>{_UNIT}))")
_SLOT = re.compile(
    rf"{_NAME}(?:, {_NAME})*"
    rf"|(?<![\w.:+-])(?:{_NUMBER}(?: {_UNIT})? to {_NUMBER} {_UNIT}|{_NUMBER}(?:{_PLUS_MINUS})? {_UNIT})"
)
_COUNT = re.compile(r" \((\d+) of \d+ rounds\)$")
_LISTED = 4  # names in one note

_Kind = tuple[str, ...]  # what stands between the slots
_Slot = tuple[str, ...]  # quantities, or names


def merged(notes_of_each: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """One note of each kind, with the number of rounds that it is of; kinds in the order met.

    Args:
        notes_of_each: The notes of each round.

    >>> merged([["other programs used 55 % of the CPU"], ["other programs used 91 % of the CPU"], []])
    ('other programs used 55 to 91 % of the CPU (2 of 3 rounds)',)
    """
    slots: dict[_Kind, list[Sequence[_Slot]]] = {}
    counts: dict[_Kind, int] = {}
    round_count = 0
    for notes in notes_of_each:
        round_count += 1
        counts_here: dict[_Kind, int] = {}
        for sentence in filter(None, notes):
            kind, found, count = _parts(sentence)
            slots.setdefault(kind, []).append(found)
            counts_here[kind] = max(count, counts_here.get(kind, 0))
        counts |= {kind: counts.get(kind, 0) + count for kind, count in counts_here.items()}
    return tuple(
        _sentence(kind, found) + (f" ({counts[kind]} of {round_count} rounds)" if round_count > 1 else "")
        for kind, found in slots.items()
    )


def kind_of(sentence: str) -> tuple[str, ...]:
    """The same for all sentences of one kind."""
    return _parts(sentence)[0]


def of_one_kind(sentences: Iterable[str]) -> str:
    """The one sentence that *sentences*, all of one kind, make."""
    first, *others = dict.fromkeys(sentences)
    if not others:
        return first
    kind = kind_of(first)
    return _sentence(kind, [_parts(sentence)[1] for sentence in (first, *others)])


def _parts(sentence: str) -> tuple[_Kind, list[_Slot], int]:
    """Kind of *sentence*, what fills its slots, and the number of rounds that it is of."""
    counted = _COUNT.search(sentence)
    text = sentence if counted is None else sentence[: counted.start()]
    slots = [_slot(match[0]) for match in _SLOT.finditer(text)]
    return tuple(_SLOT.split(text)), slots, 1 if counted is None else int(counted[1])


def _slot(text: str) -> _Slot:
    span = _RANGE.fullmatch(text)
    if span is None:
        return tuple(re.sub(_PLUS_MINUS, "", text).split(", "))
    return f"{span['low']} {span['unit'] or span['last']}", span["high"]


def _sentence(kind: _Kind, slots: Sequence[Sequence[_Slot]]) -> str:
    """The sentence of *kind* with all values of each of its slots, given those of each sentence."""
    texts = [_span([text for slot in column for text in slot]) for column in zip(*slots, strict=True)]
    return kind[0] + "".join(f"{text}{after}" for text, after in zip(texts, kind[1:], strict=True))


def _span(texts: Sequence[str]) -> str:
    """A range of quantities, or a list of names."""
    if not all(map(_QUANTITY.fullmatch, texts)):
        names = [*dict.fromkeys(texts)]
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return ", ".join(names[:_LISTED]) + more
    least, most = min(texts, key=_value), max(texts, key=_value)
    if _value(least) == _value(most):
        return least
    (number, unit), last_unit = least.split(" ", 1), most.split(" ", 1)[1]
    return f"{number if unit == last_unit else least} to {most}"


def _value(quantity: str) -> float:
    number, unit = quantity.split(" ", 1)
    return float(number) * (factor_of(unit[0]) if unit[1:] in {"J", "W", "s", "B", "Hz"} else 1.0)
