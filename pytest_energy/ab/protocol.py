"""Messages between the command and its two workers: JSON objects, one per line, through two pipes.

The worker sends the first message: what it has collected. Then it follows orders and reports the results.

| the command sends | the worker answers |
|---|---|
| `test`: its id, and that of the test after it | `ready`, warm; or `done`, where it takes no turns |
| `round`: calls of the work in it | `round`, a reading; or `done`, where the test has ended |
| `finish` | `done`: how the test ended, and its judgement |
| `end` | nothing: it ends |

Rule 1: a pipe that has ended means that the other process has; nothing else is said by it.
"""

import json
import os
from dataclasses import dataclass
from typing import TextIO, TypeVar

from pytest_energy import documents
from pytest_energy.codec import NULLABLE, Document, JsonDict, Number, decode, encode, parse
from pytest_energy.errors import FormatError
from pytest_energy.model import Provenance

PIPES = "PYTEST_ENERGY_AB_PIPES"
"""Environment variable of a worker: the descriptors that it reads from and writes to, `3,4`."""

PLUGIN = "pytest_energy.ab.worker"

NO_SENSOR = "none"
"""Name of a worker's sensor that is never there: the side counts and measures nothing."""

M = TypeVar("M", bound=Document)
N = TypeVar("N", bound=Document)


class Order(Document, frozen=True, kw_only=True, tag_field="kind"):
    """A message of the command."""


class TestOrder(Order, frozen=True, kw_only=True, tag="test"):
    """Set a test up and warm it up; fixtures that the next one needs stay."""

    __test__ = False  # not a test, for pytest

    id: str
    next_id: str | None = NULLABLE


class RoundOrder(Order, frozen=True, kw_only=True, tag="round"):
    """Take one round of so many calls."""

    call_count: int


class FinishOrder(Order, frozen=True, kw_only=True, tag="finish"):
    """End the test."""


class EndOrder(Order, frozen=True, kw_only=True, tag="end"):
    """End the process."""


class CollectedTests(Document, frozen=True, kw_only=True, tag_field="kind", tag="collected"):
    """What a side has collected.

    Attributes:
        tolerances: Each energy test's id, in order, with the accepted rise that its marker names.
        other_count: Tests that have nothing to do with energy; they are not run.
        sources: Top-level module to the file that it was imported from.
    """

    tolerances: dict[str, Number | None]
    other_count: int
    sources: dict[str, str]


class ReadyTest(Document, frozen=True, kw_only=True, tag_field="kind", tag="ready"):
    """A test that is warm and waits for its turns.

    Attributes:
        call_count: Calls of the work that one round takes.
        may_repeat: A round may hold another number of calls.
        limit: No more rounds than the source of joules has, or `None`.
        round_count: Exactly so many rounds were asked for, or `None`.
        void_retry_count: How often a void round may be repeated.
        max_time_s: Seconds after which no more rounds are started.
        is_judged: The joules may pass and fail a test; else a few are enough to show them.
    """

    call_count: int
    may_repeat: bool
    limit: int | None = NULLABLE
    round_count: int | None = NULLABLE
    void_retry_count: int
    max_time_s: Number
    is_judged: bool


class RoundMessage(Document, frozen=True, kw_only=True, tag_field="kind", tag="round"):
    """A round that was taken."""

    provenance: Provenance
    reading: documents.Round


class FinishedTest(Document, frozen=True, kw_only=True, tag_field="kind", tag="done"):
    """A test that has ended.

    Attributes:
        outcome: In pytest's words: `passed`, `failed`, `skipped`.
        text: What pytest says of a test that did not pass, or empty.
        judgement: What was measured, as the side by itself judges it, in the form of a run's document; `None`
            where there is no record.
        sources: Modules that were imported since the last time, as in `CollectedTests`.
    """

    outcome: str
    text: str = ""
    judgement: JsonDict | None = NULLABLE
    sources: dict[str, str]


def to_line(message: Document) -> str:
    return json.dumps(encode(message)) + "\n"


class _AnyMessage(Document, frozen=True, kw_only=True):
    kind: str


def from_line(line: str, where: str, kind: type[M], *others: type[N]) -> M | N:
    """The message that *line* is, a *kind* or one of *others*.

    Raises:
        FormatError: It is none of them.
    """
    value = parse(line, where)
    kinds: tuple[type[M | N], ...] = (kind, *others)
    by_name = {kind.__struct_config__.tag: kind for kind in kinds}
    name = decode(value, _AnyMessage, where).kind
    if name not in by_name:
        raise FormatError(f"{where}: kind is {name!r}, not one of {', '.join(map(str, by_name))}")
    return decode(value, by_name[name], where)


@dataclass(frozen=True, slots=True)
class Link:
    """The worker's end of the two pipes: it reads the command's messages, and writes the worker's."""

    reader: TextIO
    writer: TextIO

    @classmethod
    def from_text(cls, text: str) -> "Link":
        """Open the pipes that `PIPES` names; processes that the tests start don't inherit them.

        Raises:
            FormatError: *text* is not two descriptors.
        """
        try:
            read_fd, write_fd = (int(word) for word in text.split(","))
        except ValueError as error:
            raise FormatError(
                f"{PIPES}={text!r} is not two descriptors; `pytest-energy ab` sets it"
            ) from error
        for descriptor in (read_fd, write_fd):
            os.set_inheritable(descriptor, False)  # noqa: FBT003  # the standard library's signature
        return cls(os.fdopen(read_fd, encoding="utf-8"), os.fdopen(write_fd, "w", encoding="utf-8"))

    def say(self, message: Document) -> None:
        self.writer.write(to_line(message))
        self.writer.flush()

    def hear(self) -> Order | None:
        """The next order, or `None` when there will be no more."""
        line = self.reader.readline()
        if not line:
            return None
        return from_line(line, "a message of pytest-energy ab", TestOrder, RoundOrder, FinishOrder, EndOrder)
