"""JSON in and out: what is stored and sent, read as the types that describe it.

Rule 1: a value of the wrong kind is a `FormatError` that names the document, the place in it and the value.
Rule 2: NaN and infinity are not numbers here: JSON has neither.
Rule 3: a key that a type doesn't have is left alone: a new key is no new format.
Rule 4: nothing is without a limit, as a document may be anybody's: numbers, texts, and how much it holds.
Rule 5: a document with a key twice is refused: it is unclear which one is intended.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from reprlib import Repr
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import inspect

from pytest_energy.errors import FormatError

T = TypeVar("T")
JsonDict = dict[str, object]

MOST_NUMBER = 1e30
"""No quantity here comes near it: the largest trainings take 1e27 operations. Its cube, and sums of millions
of those, are still far below what a float holds."""

LEAST_NUMBER = 1e-30
"""What is nearer to 0 is read as 0: no joules, seconds or share come near it. What is divided by a number
of a document is then below 1e60, and its cube still far below what a float holds."""

MOST_WHOLE = 2**53
"""Up to here a float has every whole number."""

MOST_TEXT = 1_000_000
"""Characters of one text: a sentence that names ten thousand tests has as many."""

MOST_NAMES = 1_000
"""Keys of one mapping: the metrics of a test, the channels and the facts of a machine are some dozens."""

MOST_VALUES = 8_000_000
"""Of one document. 64 MB of a run hold 7 million; each takes some hundred bytes once it is read."""

Number = Annotated[float, msgspec.Meta(ge=-MOST_NUMBER, le=MOST_NUMBER)]
"""A number that is finite."""

Whole = Annotated[int, msgspec.Meta(ge=-MOST_WHOLE, le=MOST_WHOLE)]
Text = Annotated[str, msgspec.Meta(max_length=MOST_TEXT)]
ByName = Annotated[dict[Text, T], msgspec.Meta(max_length=MOST_NAMES)]


def _null() -> None:
    """What a `nullable` field is where its key is missing."""


NULLABLE: Any = msgspec.field(default_factory=_null)
"""Default of a field that is always written, `null` where there is no value; its key may be missing.

A field with an ordinary default is left out of the JSON where it has that default.
"""


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A JSON object: its fields are the keys, in their order. It holds no circle, so none is looked for."""


def parse(text: str, source: str) -> object:
    """What the JSON *text* holds.

    Args:
        text: A whole JSON document.
        source: What the document is, for messages: a file's path.

    Raises:
        FormatError: *text* is not JSON, holds too much, or has a key twice.
    """
    count = sum(map(text.count, ",:[{"))  # of values and keys, and at least as many
    if count > MOST_VALUES:
        raise FormatError(f"{source} holds {count:,} values; at most {MOST_VALUES:,} are read")
    twice: list[tuple[JsonDict, str]] = []
    value = _parsed(text, source, twice)
    if twice:
        whole, key = twice[-1]  # the outermost: it is in what came of the text
        place = next(place for item, place in _objects(value, source) if item is whole)
        raise FormatError(f"{place} has the key {brief(key)} twice, as a merge may leave it: delete one")
    return value


def _parsed(text: str, source: str, twice: list[tuple[JsonDict, str]]) -> object:
    """What *text* holds; objects that have a key twice are added to *twice* with that key."""

    def members(pairs: list[tuple[str, object]]) -> JsonDict:
        whole = dict(pairs)
        if len(whole) < len(pairs):
            twice.append((whole, Counter(key for key, _ in pairs).most_common(1)[0][0]))
        return whole

    try:
        return json.loads(text, object_pairs_hook=members, parse_float=_number)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{source} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except ValueError as error:  # more digits than Python reads, sys.set_int_max_str_digits
        raise FormatError(f"{source} is not JSON: {error}") from error
    except RecursionError as error:
        raise FormatError(f"{source} is nested too deeply to be read") from error


def _number(text: str | float) -> float:
    number = float(text)
    return 0.0 if -LEAST_NUMBER < number < LEAST_NUMBER else number


def decode(value: object, kind: type[T], where: str) -> T:
    """Parsed JSON as a *kind*.

    Args:
        value: What `json` made of the text.
        kind: A `Document`, or what else msgspec knows.
        where: Its place, for messages.

    Raises:
        FormatError: It isn't one; says where, what is there, and what should be.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        fault = _fault(value, inspect.type_info(kind), where)
        raise FormatError(fault or f"{where}: {error}") from error
    except UnicodeEncodeError as error:  # msgspec looks up no key that has half a surrogate pair
        if fault := _fault(value, inspect.type_info(kind), where):
            raise FormatError(fault) from error
        return msgspec.convert(_known_part(value, inspect.type_info(kind)), kind)


def encode(document: object) -> JsonDict:
    """*document*, or a dataclass, as plain values; numbers of other libraries become built-in ones."""
    members: JsonDict = msgspec.to_builtins(document, enc_hook=float)
    return members


def _objects(value: object, place: str) -> Iterator[tuple[JsonDict, str]]:
    """Every object in *value*, and its place."""
    rest = [(value, place)]
    while rest:
        value, place = rest.pop()
        if isinstance(value, dict):
            yield value, place
            rest += ((item, f"{place}: {key}") for key, item in value.items())
        elif isinstance(value, list):
            rest += ((item, f"{place}[{number}]") for number, item in enumerate(value))


def number_of(value: object) -> float | None:
    """*value* as a number that a document can hold, whatever library it is of; `None` if it is none."""
    if isinstance(value, str | bytes):  # float reads them, and nobody has meant that
        return None
    try:
        number = _number(value)  # type: ignore[arg-type]  # whoever can't be a number says so
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    return number if abs(number) <= MOST_NUMBER else None


def _known_part(value: object, kind: inspect.Type) -> object:
    """*value*, which has no fault, without the keys that *kind* doesn't know."""
    match kind:
        case inspect.Metadata(type=inner):
            return _known_part(value, inner)
        case inspect.UnionType(types=kinds) if value is not None:
            (kind,) = (kind for kind in kinds if not isinstance(kind, inspect.NoneType))
            return _known_part(value, kind)
    if isinstance(value, dict) and isinstance(kind, inspect.StructType):
        known = (field for field in kind.fields if field.encode_name in value)
        return {field.encode_name: _known_part(value[field.encode_name], field.type) for field in known}
    if isinstance(value, dict) and isinstance(kind, inspect.DictType):
        return {key: _known_part(item, kind.value_type) for key, item in value.items()}
    if isinstance(value, list) and isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return [_known_part(item, kind.item_type) for item in value]
    return value


def _fault(value: object, kind: inspect.Type, where: str) -> str | None:
    """The first thing in *value* that is not as *kind* says, in words; `None` if all is.

    msgspec names neither the key of a mapping nor the value, and is asked first because it is fast.
    """
    match kind:
        case inspect.Metadata(type=inner):
            return _fault(value, inner, where)
        case inspect.UnionType(types=kinds):
            kinds = tuple(kind for kind in kinds if not isinstance(kind, inspect.NoneType))
            return None if value is None else _first(_fault(value, kind, where) for kind in kinds)
        case inspect.StructType() | inspect.DictType():
            return _fault_of_object(value, kind, where)
        case inspect.VarTupleType() | inspect.ListType() | inspect.TupleType():
            return _fault_of_list(value, kind, where)
    return _fault_of_plain(value, kind, where)


def _fault_of_object(value: object, kind: inspect.StructType | inspect.DictType, where: str) -> str | None:
    if not isinstance(value, dict):
        return f"{where} holds {brief(value)}, not an object"
    if isinstance(kind, inspect.DictType):
        if kind.max_length is not None and len(value) > kind.max_length:
            return f"{where} has {len(value):,} keys; at most {kind.max_length:,} are read"
        return _first(_fault(item, kind.value_type, f"{where}: {key}") for key, item in value.items())
    for field in kind.fields:
        name = field.encode_name
        if name in value:
            if fault := _fault(value[name], field.type, f"{where}: {name}"):
                return fault
        elif field.required:
            return f"{where} has no {name!r}"
    return None


def _fault_of_list(
    value: object, kind: inspect.VarTupleType | inspect.ListType | inspect.TupleType, where: str
) -> str | None:
    if not isinstance(kind, inspect.TupleType):
        if not isinstance(value, list):
            return f"{where} is {brief(value)}, not a list"
        items = enumerate(value)
        return _first(_fault(item, kind.item_type, f"{where}[{number}]") for number, item in items)
    if not isinstance(value, list) or len(value) != len(kind.item_types):
        plural = "numbers" if isinstance(kind.item_types[0], inspect.FloatType) else "texts"
        return f"{where} is {brief(value)}, not a pair of {plural}"
    pairs = zip(value, kind.item_types, strict=True)
    return _first(_fault(item, item_kind, where) for item, item_kind in pairs)


def _fault_of_plain(value: object, kind: inspect.Type, where: str) -> str | None:
    match kind:
        case inspect.FloatType():
            return _fault_of_number(value, where)
        case inspect.EnumType(cls=choices):
            return _fault_of_choice(value, [member.value for member in choices], where)
        case inspect.IntType() if type(value) is not int:
            wanted = "a whole number"
        case inspect.IntType(le=int(most)) if isinstance(value, int) and abs(value) > most:
            return f"{where} is {brief(value)}; it must be at most {most:,}"
        case inspect.BoolType() if type(value) is not bool:
            wanted = "true or false"
        case inspect.StrType() if not isinstance(value, str):
            wanted = "a text"
        case inspect.StrType(max_length=int(most)) if isinstance(value, str) and len(value) > most:
            return f"{where} is a text of {len(value):,} characters; at most {most:,} are read"
        case inspect.LiteralType(values=values) if value not in values:
            wanted = " or ".join(map(repr, values))
        case _:
            return None
    return f"{where} is {brief(value)}, not {wanted}"


def _fault_of_number(value: object, where: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{where} is {brief(value)}, not a number"
    if abs(value) <= MOST_NUMBER:
        return None
    if isinstance(value, int) or math.isfinite(value):
        return f"{where} is {brief(value)}, too large for a number; it must be at most {MOST_NUMBER:g}"
    return f"{where} is {value}, not a finite number"


def _fault_of_choice(value: object, choices: Iterable[object], where: str) -> str | None:
    if not isinstance(value, str):
        return f"{where} is {brief(value)}, not a text"
    allowed = [str(choice) for choice in choices]
    return None if value in allowed else f"{where} is {brief(value)}, not one of {', '.join(allowed)}"


def _first(faults: Iterable[str | None]) -> str | None:
    return next(filter(None, faults), None)


def brief(value: object) -> str:
    """*value* for a message: of what is long, wide or deep the beginning."""
    text = _BRIEF.repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def kind_of(value: object) -> str:
    """The type of *value* and *value* in brief, for a message: `a list: [1, 2]`, `a coroutine`."""
    name = type(value).__name__
    article = "an" if name[:1].lower() in {*"aeiou"} else "a"
    if value is None:
        return "None"
    text = brief(value)
    return f"{article} {name}" + ("" if text.startswith("<") else f": {text}")  # an address says nothing


_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = 5_000
