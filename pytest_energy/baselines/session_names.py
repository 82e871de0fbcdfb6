"""Names of the objects behind a URL: the listing alone says which sessions count, and in what order. Pure.

Rule 1: an object is one session that joined a baseline. It is never rewritten. Its name says when and how it
joined, and which session it is: `20251120T100000.000000-0~add~<identity>.json`.
Rule 2: the baseline is what its names come to, in their order, by the rules of `levels`. Two writers that did
not see each other lose nothing, and need neither lock nor conditional write.
Rule 3: a session comes at its own time, or next after what its writer saw. So the order is that in which one
writer after the other would have added to a file.
Rule 4: the same session under two names, of a writer that tried again, is one.
Rule 5: `replace` ends what is before it: one object does both, or neither.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pytest_energy.baselines.levels import joined
from pytest_energy.baselines.protocol import Mode
from pytest_energy.baselines.schema import Baseline, from_json_text, moment_of, to_json_text
from pytest_energy.model import JoinedAs, Record

# 128 bits: no two of any number of sessions fall together.
_IDENTITY_LENGTH = 32
_NOT_OF_IDENTITY = frozenset({"joined_as", "counts"})
_NAME = re.compile(
    r"(?P<moment>\d{8}T\d{6}\.\d{6})-(?P<count>\d{1,9})"
    r"~(?P<mode>add|replace)(?:-(?P<joined_as>level|improvement))?"
    rf"~(?P<identity>[0-9a-f]{{{_IDENTITY_LENGTH}}})\.json"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionName:
    """The name of one object.

    Attributes:
        moment: The session's time, in UTC; or that of the one that it comes next after.
        count: How many there are of that moment that its writer saw.
        mode: `replace` if the sessions before it went.
        joined_as: As in the record.
        identity: Of the session.
    """

    moment: datetime
    count: int
    mode: Mode
    joined_as: JoinedAs | None
    identity: str

    def __str__(self) -> str:
        moment = self.moment.isoformat(timespec="microseconds").replace("-", "").replace(":", "")
        how = self.mode if self.joined_as is None else f"{self.mode}-{self.joined_as}"
        return f"{moment.partition('+')[0]}-{self.count}~{how}~{self.identity}.json"

    @property
    def order(self) -> tuple[datetime, int, str]:
        return self.moment, self.count, self.identity


def parsed(text: str) -> SessionName | None:
    """The name that *text* is, or `None`: it is no session of ours."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(found["moment"]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return SessionName(
        moment=moment,
        count=int(found["count"]),
        mode="replace" if found["mode"] == "replace" else "add",
        joined_as=None if found["joined_as"] is None else JoinedAs(found["joined_as"]),
        identity=found["identity"],
    )


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session as it is to be stored.

    Attributes:
        record: As it is read again.
        content: Of its object: the text of a baseline with this session alone.
        identity: What its name says of that.
    """

    record: Record
    content: bytes
    identity: str


def new_session(record: Record) -> NewSession:
    """*record* as it is to be stored.

    Raises:
        BaselineError: It can't be.
    """
    alone = Baseline(test_id=record.test_id, machine_key=record.machine.key, entries=(record,))
    read = from_json_text(to_json_text(alone), f"the new session of {record.test_id}")
    content = to_json_text(read).encode("ascii")  # a number may be written otherwise once it was read
    return NewSession(read.entries[0], content, identity_of(content))


def identity_of(content: bytes) -> str:
    """What tells the session in the *content* of an object from every other.

    It is of the text as it is stored, so that a later version, which may write more, finds the same. How the
    session joined, and its counts, which a folder keeps once for equal ones, are no part of it.
    """
    return digest_of(told_apart_by(content))


def told_apart_by(content: bytes) -> str:
    """What an identity is made of."""
    members = json.loads(content)["sessions"][0].items()
    kept = {name: value for name, value in members if name not in _NOT_OF_IDENTITY}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_IDENTITY_LENGTH]


def next_name(new: NewSession, mode: Mode, *, after: SessionName | None) -> SessionName:
    """The name of *new*, which joins next after the last one that its writer saw."""
    moment, count = moment_of(new.record), 0
    if after is not None and moment <= after.moment:
        moment, count = after.moment, after.count + 1
    return SessionName(
        moment=moment, count=count, mode=mode, joined_as=new.record.joined_as, identity=new.identity
    )


def newest_of(names: Iterable[SessionName]) -> SessionName | None:
    return max(names, key=lambda one: one.order, default=None)


def standing(names: Iterable[SessionName]) -> tuple[SessionName, ...]:
    """Those of *names* that no `replace` has ended, each session once, in order; with what they joined as."""
    return joined((), since_replaced(names), content=_identity, joining=_joining)


def since_replaced(names: Iterable[SessionName]) -> Sequence[SessionName]:
    """The last `replace` of *names* and what is after it, in order; all where nothing was replaced."""
    ordered = sorted(names, key=lambda one: one.order)
    starts = (place for place, one in enumerate(ordered) if one.mode == "replace")
    return ordered[max(starts, default=0) :]


def _identity(name: SessionName) -> str:
    return name.identity


def _joining(name: SessionName, joined_as: JoinedAs | None) -> SessionName:
    return replace(name, joined_as=joined_as)
