"""What the command and its two workers say to each other: JSON objects, one a line, through two pipes.

The worker speaks first, with what it has collected. Then it does what it is told and says how that went.

| the command says | the worker answers |
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
from typing import TextIO

from pytest_energy.errors import FormatError
from pytest_energy.model import Judgement, Provenance, Reading
from pytest_energy.wire import Fields, JsonDict, parse

PIPES = "PYTEST_ENERGY_AB_PIPES"
"""Environment variable of a worker: the descriptors that it reads from and writes to, `3,4`."""

PLUGIN = "pytest_energy.ab.worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a side has collected.

    Attributes:
        tolerances: Each energy test's id, in order, with the accepted rise that its marker names.
        other_count: Tests that have nothing to do with energy; they are not run.
        sources: Top-level module to the file that it was imported from.
    """

    tolerances: dict[str, float | None]
    other_count: int
    sources: dict[str, str]

    def to_json(self) -> JsonDict:
        return {
            "kind": "collected",
            "tolerances": dict(self.tolerances),
            "other_count": self.other_count,
            "sources": dict(self.sources),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "Collected":
        return cls(
            tolerances=fields.numbers_or_none("tolerances"),
            other_count=fields.integer("other_count"),
            sources=fields.texts("sources"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
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
    limit: int | None
    round_count: int | None
    void_retry_count: int
    max_time_s: float
    is_judged: bool

    def to_json(self) -> JsonDict:
        return {
            "kind": "ready",
            "call_count": self.call_count,
            "may_repeat": int(self.may_repeat),
            "limit": self.limit,
            "round_count": self.round_count,
            "void_retry_count": self.void_retry_count,
            "max_time_s": self.max_time_s,
            "is_judged": int(self.is_judged),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "Ready":
        return cls(
            call_count=fields.integer("call_count"),
            may_repeat=bool(fields.integer("may_repeat")),
            limit=fields.integer_or_none("limit"),
            round_count=fields.integer_or_none("round_count"),
            void_retry_count=fields.integer("void_retry_count"),
            max_time_s=fields.number("max_time_s"),
            is_judged=bool(fields.integer("is_judged")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A test that has ended.

    Attributes:
        outcome: In pytest's words: `passed`, `failed`, `skipped`.
        text: What pytest says of a test that did not pass, or empty.
        judgement: What was measured, as the side by itself judges it; `None` where there is no record.
        sources: Modules that were imported since the last time, as in `Collected`.
    """

    outcome: str
    text: str = ""
    judgement: Judgement | None = None
    sources: dict[str, str]

    def to_json(self) -> JsonDict:
        return {
            "kind": "done",
            "outcome": self.outcome,
            "text": self.text,
            "judgement": None if self.judgement is None else self.judgement.to_json(),
            "sources": dict(self.sources),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "Done":
        has_one = fields.has_value("judgement")
        return cls(
            outcome=fields.text("outcome"),
            text=fields.text("text"),
            judgement=Judgement.from_json(fields.child("judgement")) if has_one else None,
            sources=fields.texts("sources"),
        )


def round_to_json(reading: Reading) -> JsonDict:
    return {"kind": "round", "provenance": reading.provenance.value, **reading.to_json()}


def round_from_json(fields: Fields) -> Reading:
    return Reading.from_json(fields, Provenance(fields.choice("provenance", Provenance)))


class Link:
    """The worker's end of the two pipes.

    Args:
        reader: What the command says.
        writer: What it is told.
    """

    def __init__(self, reader: TextIO, writer: TextIO) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    def from_text(cls, text: str) -> "Link":
        """Open the pipes that `PIPES` names; processes that the tests start don't inherit them.

        Raises:
            FormatError: *text* is no two descriptors.
        """
        try:
            read_fd, write_fd = (int(word) for word in text.split(","))
        except ValueError as error:
            raise FormatError(
                f"{PIPES}={text!r} is no two descriptors; `pytest-energy ab` sets it"
            ) from error
        for descriptor in (read_fd, write_fd):
            os.set_inheritable(descriptor, False)  # noqa: FBT003  # the standard library's signature
        return cls(os.fdopen(read_fd, encoding="utf-8"), os.fdopen(write_fd, "w", encoding="utf-8"))

    def say(self, message: JsonDict) -> None:
        """Send *message*.

        Raises:
            BrokenPipeError: Nobody is there any more.
        """
        self._writer.write(json.dumps(message) + "\n")
        self._writer.flush()

    def hear(self) -> Fields | None:
        """The next message, or `None` when there will be no more."""
        line = self._reader.readline()
        return parse(line, "a message of pytest-energy ab") if line else None
