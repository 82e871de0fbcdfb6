"""Counts as a baseline keeps them: bounded, and equal ones once in a file.

Rule 1: what the library does is left out before anything that the code calls, and of each the lightest: of
counts with an entry of the library's all that the code calls is there.
Rule 2: the sessions of a test mostly have equal counts, which their digest shows; then the oldest of them has
the entries, so that a session more is a few lines more.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from pytest_energy.codec import encode
from pytest_energy.conversion import plain
from pytest_energy.counts import OF_THE_LIBRARY, Counts
from pytest_energy.model import Record

MOST_BYTES = 20_000
"""Of one session's counts in a file: ten sessions of a test, all different, are a file of 200 kB."""

_LINE_BYTES = 12  # of an entry in the file, for its indentation and the comma
_HEAD_BYTES = 400  # of what stands beside the entries, for names and indentation, settings not included


def trimmed(counts: Counts, most_bytes: int = MOST_BYTES) -> Counts:
    """*counts* in at most *most_bytes* of JSON: rule 1."""
    left = most_bytes - _HEAD_BYTES - _size(dict(counts.settings)) - len(counts.source) - len(counts.digest)
    by_worth = sorted(counts.entries, key=lambda entry: entry.kind in OF_THE_LIBRARY)
    kept = set[int]()
    for entry in by_worth:
        left -= _size(encode(plain(entry))) + _LINE_BYTES
        if left < 0:
            break
        kept.add(id(entry))
    if len(kept) == len(counts.entries):
        return counts
    entries = tuple(entry for entry in counts.entries if id(entry) in kept)
    omitted_count = counts.omitted_count + len(counts.entries) - len(entries)
    return replace(counts, entries=entries, omitted_count=omitted_count)


def _size(value: object) -> int:
    return len(json.dumps(value, sort_keys=True))


def with_shared_counts(records: Sequence[Record]) -> tuple[Record, ...]:
    """*records* as they are stored in a file: of equal counts the oldest ones have the entries."""
    oldest: dict[str, Record] = {}
    for one in records:
        if one.counts is not None:
            oldest.setdefault(one.counts.digest, one)
    return tuple(
        one if one.counts is None or oldest[one.counts.digest] is one else _without_entries(one, one.counts)
        for one in records
    )


def _without_entries(record: Record, counts: Counts) -> Record:
    omitted_count = counts.omitted_count + len(counts.entries)
    return replace(record, counts=replace(counts, entries=(), omitted_count=omitted_count))


def with_own_counts(records: Sequence[Record]) -> tuple[Record, ...]:
    """*records*, read from a file, each with the entries of its counts.

    Counts whose entries are gone, as when a session was deleted by hand, are absent.
    """
    known = {
        one.counts.digest: one.counts for one in records if one.counts is not None and one.counts.entries
    }
    return tuple(_with_entries(one, known) for one in records)


def _with_entries(record: Record, known: dict[str, Counts]) -> Record:
    counts = record.counts
    if counts is None or counts.entries or not counts.omitted_count:
        return record
    whole = known.get(counts.digest)
    if whole is not None:
        same = replace(counts, entries=whole.entries, omitted_count=whole.omitted_count)
        return replace(record, counts=same)
    because = "their entries were stored with a session that this file no longer has"
    return replace(record, counts=None, absent={**record.absent, "counts": because})
