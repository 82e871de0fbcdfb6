"""JSON in and out: what is stored and sent, read as the types that describe it.

Rule 1: a value of the wrong kind is a `FormatError` that names the document, the place in it and the value.
Rule 2: NaN and infinity are not numbers here: JSON has neither.
Rule 3: a key that a type doesn't have is left alone: a new key is no new format.
"""

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import inspect

from pytest_energy.errors import FormatError

T = TypeVar("T")
JsonDict = dict[str, object]

Number = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A number that is finite."""


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
        FormatError: *text* is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{source} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except ValueError as error:  # more digits than Python reads, sys.set_int_max_str_digits
        raise FormatError(f"{source} is not JSON: {error}") from error
    except RecursionError as error:
        raise FormatError(f"{source} is nested too deep to be one of ours") from error


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
    """The first thing in *value* that is not as *kind* says, in words; `None` where all is.

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
        return f"{where} holds {_short(value)}, not an object"
    if isinstance(kind, inspect.DictType):
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
            return f"{where} is {_short(value)}, not a list"
        items = enumerate(value)
        return _first(_fault(item, kind.item_type, f"{where}[{number}]") for number, item in items)
    if not isinstance(value, list) or len(value) != len(kind.item_types):
        plural = "numbers" if isinstance(kind.item_types[0], inspect.FloatType) else "texts"
        return f"{where} is {_short(value)}, not a pair of {plural}"
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
        case inspect.BoolType() if type(value) is not bool:
            wanted = "true or false"
        case inspect.StrType() if not isinstance(value, str):
            wanted = "a text"
        case inspect.LiteralType(values=values) if value not in values:
            wanted = " or ".join(map(repr, values))
        case _:
            return None
    return f"{where} is {_short(value)}, not {wanted}"


def _fault_of_number(value: object, where: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{where} is {_short(value)}, not a number"
    if isinstance(value, int):
        too_large = abs(value) > sys.float_info.max
        return f"{where} is {_short(value)}, too large for a number" if too_large else None
    return None if abs(value) <= sys.float_info.max else f"{where} is {value}, not a finite number"


def _fault_of_choice(value: object, choices: Iterable[object], where: str) -> str | None:
    if not isinstance(value, str):
        return f"{where} is {_short(value)}, not a text"
    allowed = [str(choice) for choice in choices]
    return None if value in allowed else f"{where} is {_short(value)}, not one of {', '.join(allowed)}"


def _first(faults: Iterable[str | None]) -> str | None:
    return next(filter(None, faults), None)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
