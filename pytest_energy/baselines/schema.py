"""The stored form of a baseline: the accepted sessions of one test on one machine.

Rule 1: every format ever written still loads; a newer one is refused by its number.
Rule 2: all sessions of a baseline can be compared with one another, so one question answers for all.
Rule 3: a change shows as what it is: sorted keys, one round a line, new sessions at the end.
Rule 4: nothing is written that would not load again.
Rule 5: what judges nothing (power over time, the time of day, predictions) is not kept, and counts are
bounded (`stored_counts`): a file grows with its rounds alone.
Rule 6: what a person or a merge has made of a file is found when it is read: a session that is there twice,
from the future, of another test, with joules that can't be.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pytest_energy.baselines.machine import COUNTS_PREFIX, check_comparable, counts_key
from pytest_energy.baselines.stored_counts import trimmed, with_own_counts, with_shared_counts
from pytest_energy.codec import MOST_NUMBER, Document, JsonDict, Text, brief, decode, parse
from pytest_energy.conversion import record_of, to_json
from pytest_energy.document_types import written
from pytest_energy.documents import Record as RecordDocument
from pytest_energy.documents import format_of
from pytest_energy.errors import BaselineError, FormatError, NotComparable, NotMeasurable
from pytest_energy.model import Record

# 1: {"format", "id", "machine_key", "sessions": [documents.Record, ...]}, oldest accepted session first.
FORMAT_VERSION = 1

# Of a level (levels.py) the first ones stay: a creep of +0.3 % a session, which the newest alone would
# follow, shows against them. Three, so that one odd session among them is outvoted.
PINNED_COUNT = 3

# Ten leave seven for what is true now. Twenty would narrow the bounds by 8 %: t(.95, K-1) sqrt(1 + 1/K).
KEPT_COUNT = 10

# Characters of a file. One of ten sessions of twenty rounds has about 100,000; a hundred times that is no
# baseline of ours, and to parse it would take the memory of the work under test.
MOST_CHARACTERS = 10_000_000

# Clocks of machines differ by minutes, and by up to 14 h where local time was taken for UTC.
MOST_AHEAD = timedelta(days=1)

# Of a round's joules as written beside its channels: their sum, in floats.
_SUM_DIGITS = 1e-9

HOW_TO_MEND = "restore it from version control, or delete it and record it again with --energy-baseline=add"
# The lines that git puts around two sides; a line of JSON can begin with none of them.
_CONFLICT_MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The sessions kept for one test on one machine key.

    Attributes:
        test_id: The test's node id.
        machine_key: `Machine.key` of every session.
        entries: Accepted records in the order of their acceptance; at least one.

    Raises:
        BaselineError: There is no session, or one that has no joules (under a key of counts: no counts, or
            joules), that is another test's or machine's, or that can't be compared with the first.
    """

    test_id: str
    machine_key: str
    entries: tuple[Record, ...]

    def __post_init__(self) -> None:
        if not self.entries:
            raise BaselineError("sessions is empty; a baseline has at least one")
        for index, record in enumerate(self.entries):
            self._check(record, f"sessions[{index}] (created {record.created})")

    def _check(self, record: Record, where: str) -> None:
        if record.test_id != self.test_id:
            raise BaselineError(f"{where} is of the test {record.test_id!r}, not {self.test_id!r}")
        if record.machine.key != self.machine_key:
            raise BaselineError(f"{where} is of the machine {record.machine.key!r}, not {self.machine_key!r}")
        if record.machine.key.startswith(COUNTS_PREFIX):
            _check_counts(record, where)
        elif record.absent_because is not None:
            raise BaselineError(f"{where} has no joules to compare with: {record.absent_because}")
        if record is self.entries[0]:
            return
        try:
            check_comparable(self.entries[0], record)
        except NotComparable as error:
            raise BaselineError(f"{where} can't be compared with the sessions before it: {error}") from error


def _check_counts(record: Record, where: str) -> None:
    if record.counts is None or record.rounds:
        has = "no counts" if record.counts is None else "joules"
        raise BaselineError(f"{where} has {has}, and {record.machine.key} is for counts alone")
    key = counts_key(record.counts)
    if key != record.machine.key:
        raise BaselineError(f"{where} has counts of {key}, not of {record.machine.key}")


def as_stored(record: Record) -> Record:
    """*record* as a baseline keeps it: rule 5."""
    rounds = tuple(replace(reading, power_trace={}, start_unix_s=None) for reading in record.rounds)
    counts = None if record.counts is None else trimmed(record.counts)
    return replace(record, rounds=rounds, predictions={}, counts=counts)


def check_times(sessions: Sequence[Record], now: datetime) -> None:
    """Check that no session was made after *now*, a day aside: it would pass for the newest one for ever.

    Args:
        sessions: Of one baseline, in its order.
        now: With its time zone.

    Raises:
        BaselineError: One was, or doesn't say when it was made.
    """
    latest, today = now + MOST_AHEAD, now.astimezone(UTC).isoformat(timespec="seconds")
    for index, record in enumerate(sessions):
        if moment_of(record) > latest:
            raise BaselineError(
                f"sessions[{index}] is from the future: created {record.created}, and now is {today}; "
                "correct the clock that is wrong, then delete the session or fix its time"
            )


def moment_of(record: Record) -> datetime:
    """When *record* was made, in UTC.

    Raises:
        BaselineError: Its `created` is no time.
    """
    try:
        moment = datetime.fromisoformat(record.created)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:  # the latter: in UTC it is before the year 1, or past 9999
        raise BaselineError(
            f"{record.test_id}: created is {record.created!r}, not a time such as 2026-11-20T10:00:00Z"
        ) from error


def to_json_text(baseline: Baseline) -> str:
    """*baseline* as the text of its file, in ASCII, with a newline at the end.

    Raises:
        BaselineError: A value in it has no form in JSON (NaN, infinity), or it is too long to be read again.
    """
    records = with_shared_counts([as_stored(record) for record in baseline.entries])
    sessions = ",\n".join(f"    {_opened(to_json(record), '    ')}" for record in records)
    text = (
        "{\n"
        f'  "format": {FORMAT_VERSION},\n'
        f'  "id": {_on_one_line(baseline.test_id)},\n'
        f'  "machine_key": {_on_one_line(baseline.machine_key)},\n'
        f'  "sessions": [\n{sessions}\n  ]\n'
        "}\n"
    )
    if len(text) > MOST_CHARACTERS:
        raise BaselineError(
            f"the new baseline of {baseline.test_id} has {len(text):,} characters, but at most "
            f"{MOST_CHARACTERS:,} are read; keep fewer sessions, or take fewer rounds and windows"
        )
    try:
        _from_text(text, f"the new baseline of {baseline.test_id}")
    except FormatError as error:
        raise BaselineError(f"{error}; it can't be stored: fix what recorded it") from error
    return text


def from_json_text(text: str, source: str, *, how_to_mend: str = HOW_TO_MEND) -> Baseline:
    """The baseline that *text* holds.

    Args:
        text: The whole file.
        source: What the text is, for messages: the file's path.
        how_to_mend: What to do if it is none.

    Raises:
        BaselineError: *text* is of a newer format, or is no baseline; the message names *source*, the
            place in it, the value seen and what to do.
    """
    try:
        return _from_text(text, source)
    except FormatError as error:
        _check_merged(text, source)  # no JSON has such lines, so there is an error wherever they are
        raise BaselineError(f"{error}; {how_to_mend}") from error


def _check_merged(text: str, source: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith(_CONFLICT_MARKERS):
            raise BaselineError(
                f"{source} line {number} is {line[:60]!r}: a merge was left unfinished; "
                f"finish it (git checkout --ours or --theirs), or {HOW_TO_MEND}"
            )


class StoredBaseline(Document, frozen=True, kw_only=True, rename={"test_id": "id"}):
    """A file in the folder of baselines: the accepted sessions of one test on one machine.

    Attributes:
        test_id: The test's node id.
        machine_key: The key of every session's machine.
        sessions: The oldest accepted first. Each has a round or more; under the key of counts alone, such as
            counts_cpu, counts and no round. Counts without entries are those of the session of equal digest.
    """

    format: Literal[1]
    test_id: Text
    machine_key: Text
    sessions: Annotated[tuple[RecordDocument, ...], written(minItems=1)]


def _from_text(text: str, source: str) -> Baseline:
    value = parse(text, source)
    version = format_of(value, source)
    if version > FORMAT_VERSION:
        raise BaselineError(
            f"{source} is of format {version}; this pytest-energy reads up to {FORMAT_VERSION}: "
            "upgrade it (pip install --upgrade pytest-energy)"
        )
    if version < 1:
        raise FormatError(f"{source}: format is {version}; the first format is 1")
    stored = decode(value, StoredBaseline, source)
    sessions = with_own_counts(
        [_session(record, f"{source}: sessions[{index}]") for index, record in enumerate(stored.sessions)]
    )
    _check_once(sessions, source)
    try:
        return Baseline(test_id=stored.test_id, machine_key=stored.machine_key, entries=sessions)
    except BaselineError as error:
        raise FormatError(f"{source}: {error}") from error


def _check_once(sessions: Sequence[Record], where: str) -> None:
    places: dict[str, list[int]] = {}
    for index, record in enumerate(sessions):
        for earlier in places.setdefault(record.created, []):
            if replace(sessions[earlier], joined_as=record.joined_as) == record:
                raise FormatError(
                    f"{where}: sessions[{index}] (created {record.created}) is sessions[{earlier}] again, as "
                    "a merge may leave it: delete one of the two"
                )
        places[record.created].append(index)


def _session(stored: RecordDocument, where: str) -> Record:
    try:
        record = record_of(stored, where)
    except NotMeasurable as error:
        raise FormatError(f"{where}: {error}") from error
    for index, (reading, one_round) in enumerate(zip(record.rounds, stored.rounds, strict=True)):
        if reading.uncertainty_j < 0:
            raise FormatError(
                f"{where}: rounds[{index}]: uncertainty_j is {reading.uncertainty_j}; it is 0 or more"
            )
        written_j, energy_j = one_round.energy_j, reading.energy_j
        if written_j is not None and written_j != energy_j:
            _check_sum(written_j, energy_j, f"{where}: rounds[{index}]")
    return record


def _check_sum(written_j: object, energy_j: float | None, where: str) -> None:
    number = written_j if isinstance(written_j, int | float) else math.nan
    is_small = abs(number) <= MOST_NUMBER
    if is_small and energy_j is not None and math.isclose(number, energy_j, rel_tol=_SUM_DIGITS):
        return
    has = "it is void" if energy_j is None else f"its channels have {energy_j} J"
    raise FormatError(f"{where}: energy_j is {brief(written_j)}, but {has}")


def _opened(members: JsonDict, indent: str) -> str:
    """An object with a member a line, and each item of a list on one line."""
    inner = f"{indent}  "
    lines = (
        f"{inner}{_on_one_line(name)}: {_member(value, inner)}" for name, value in sorted(members.items())
    )
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _member(value: object, indent: str) -> str:
    if isinstance(value, dict) and value:
        return _opened(value, indent)
    if isinstance(value, list) and value:
        items = ",\n".join(f"{indent}  {_on_one_line(item)}" for item in value)
        return f"[\n{items}\n{indent}]"
    return _on_one_line(value)


def _on_one_line(value: object) -> str:
    return json.dumps(value, sort_keys=True)
