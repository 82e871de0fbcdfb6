"""Parsed JSON, read with the place in each error.

Rule 1: a value of the wrong kind is a `FormatError` that names the document, the place in it and the value.
Rule 2: NaN and infinity are not numbers here: JSON has neither.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_energy.errors import FormatError

JsonDict = dict[str, object]


def parse(text: str, source: str) -> "Fields":
    """Fields of the JSON object that *text* holds.

    Args:
        text: A whole JSON document.
        source: What the document is, for messages: a file's path.

    Raises:
        FormatError: *text* is not JSON, or not an object.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"{source} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except ValueError as error:  # more digits than Python reads, sys.set_int_max_str_digits
        raise FormatError(f"{source} is not JSON: {error}") from error
    except RecursionError as error:
        raise FormatError(f"{source} is nested too deep to be one of ours") from error
    return Fields(value, source)


def plain_numbers(values: Mapping[str, float]) -> dict[str, float]:
    """Copy with built-in floats only, as transports other than ours ask for."""
    return {name: float(value) for name, value in values.items()}


class Fields:
    """The members of one JSON object, each read as the kind it must have.

    Args:
        value: What `json` made of the object.
        where: Its place, for messages: a text, or the object that it is in.
        name: What it is called there, where *where* is that object.
        index: Its place in the list *name*, if that is one.
    """

    __slots__ = ("_index", "_members", "_name", "_outer")

    def __init__(
        self, value: object, where: "str | Fields", name: str = "", index: int | None = None
    ) -> None:
        self._outer, self._name, self._index = where, name, index
        if not isinstance(value, dict):
            raise FormatError(f"{self.where} holds {_shown(value)}, not an object")
        self._members: JsonDict = value

    @property
    def where(self) -> str:
        """The object's place; put together when asked for: a file has a million places and no error."""
        if isinstance(self._outer, str):
            return self._outer
        place = f"{self._outer.where}: {self._name}"
        return place if self._index is None else f"{place}[{self._index}]"

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> tuple[str, ...]:
        return tuple(self._members)

    def _at(self, name: str) -> str:
        return f"{self.where}: {name}"

    def _member(self, name: str) -> object:
        try:
            return self._members[name]
        except KeyError:
            raise FormatError(f"{self.where} has no {name!r}") from None

    def has_value(self, name: str) -> bool:
        """Whether *name* is there and not null."""
        return self._members.get(name) is not None

    def number(self, name: str) -> float:
        value = self._members.get(name)
        if type(value) is float and math.isfinite(value):  # nearly all of them
            return value
        return _number(self._member(name), self._at(name))

    def number_or_none(self, name: str) -> float | None:
        value = self._members.get(name)
        if type(value) is float and math.isfinite(value):
            return value
        return None if value is None else self.number(name)

    def integer(self, name: str) -> int:
        value = self._member(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise FormatError(f"{self._at(name)} is {_shown(value)}, not a whole number")
        return value

    def integer_or_none(self, name: str) -> int | None:
        return self.integer(name) if self.has_value(name) else None

    def text(self, name: str) -> str:
        value = self._member(name)
        if not isinstance(value, str):
            raise FormatError(f"{self._at(name)} is {_shown(value)}, not a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        return self.text(name) if self.has_value(name) else None

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """The text *name*, one of *choices*."""
        value, allowed = self.text(name), tuple(choices)
        if value not in allowed:
            raise FormatError(f"{self._at(name)} is {_shown(value)}, not one of {', '.join(allowed)}")
        return value

    def child(self, name: str) -> "Fields":
        return Fields(self._member(name), self, name)

    def children(self, name: str) -> Iterator["Fields"]:
        return iter([Fields(value, self, name, index) for index, value in enumerate(self.items(name))])

    def items(self, name: str) -> Sequence[object]:
        value = self._member(name)
        if not isinstance(value, list):
            raise FormatError(f"{self._at(name)} is {_shown(value)}, not a list")
        return value

    def numbers(self, name: str) -> dict[str, float]:
        """The object *name* as a mapping of names to numbers."""
        value = self._members.get(name)
        if isinstance(value, dict) and _are_floats(value.values()):
            return dict(value)
        child = self.child(name)
        return {key: child.number(key) for key in child.names()}

    def numbers_or_none(self, name: str) -> dict[str, float | None]:
        """The object *name* as a mapping of names to numbers or null."""
        child = self.child(name)
        return {key: child.number_or_none(key) for key in child.names()}

    def texts(self, name: str) -> dict[str, str]:
        """The object *name* as a mapping of names to texts."""
        value = self._members.get(name)
        if isinstance(value, dict) and all(type(text) is str for text in value.values()):
            return dict(value)
        child = self.child(name)
        return {key: child.text(key) for key in child.names()}

    def text_list(self, name: str) -> tuple[str, ...]:
        values = self.items(name)
        if not values:
            return ()
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise FormatError(f"{self._at(name)}[{index}] is {_shown(value)}, not a text")
        return tuple(str(value) for value in values)

    def number_list(self, name: str) -> tuple[float, ...]:
        """The list *name* of numbers."""
        place = self._at(name)
        return tuple(_number(value, f"{place}[{index}]") for index, value in enumerate(self.items(name)))

    def number_pair(self, name: str) -> tuple[float, float]:
        """The list *name* of exactly two numbers, such as an interval."""
        return _pair(self._member(name), self._at(name))

    def number_pairs(self, name: str) -> tuple[tuple[float, float], ...]:
        """The list *name* of two-number lists, such as ticks `[[t_s, joules], ...]`."""
        values, pairs = self.items(name), []
        for index, value in enumerate(values):
            if isinstance(value, list) and len(value) == 2 and _are_floats(value):  # nearly all of them
                pairs.append((value[0], value[1]))
            else:
                pairs.append(_pair(value, f"{self._at(name)}[{index}]"))
        return tuple(pairs)


def _are_floats(values: Iterable[object]) -> bool:
    """Whether all of *values* are numbers with a point, and finite: so nearly all are."""
    return all(type(value) is float and math.isfinite(value) for value in values)


def _pair(value: object, where: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise FormatError(f"{where} is {_shown(value)}, not a pair of numbers")
    return _number(value[0], where), _number(value[1], where)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"{where} is {_shown(value)}, not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise FormatError(f"{where} is {_shown(value)}, too large for a number") from error
    if not math.isfinite(number):
        raise FormatError(f"{where} is {value}, not a finite number")
    return number


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
