"""Counts in a baseline's file: bounded, and equal ones once."""

from dataclasses import replace

from pytest_energy.baselines.schema import from_json_text, to_json_text
from pytest_energy.baselines.stored_counts import MOST_BYTES, trimmed, with_own_counts, with_shared_counts
from pytest_energy.counts import OF_THE_LIBRARY, CallPlace, CountEntry, Counts, Kind
from pytest_energy.model import Record
from tests.builders import baseline, counted, counts_baseline, counts_of, record


def entry(kind: Kind, number: int) -> CountEntry:
    place = CallPlace(file="model.py", line=number, function="forward", count=1)
    return CountEntry(kind=kind, name=f"{kind}::{number:03}", count=1, example="[64, 512]", places=(place,))


def large(*, code_count: int, library_count: int) -> Counts:
    """Entries by turns of the library and the code, the heaviest first."""
    code = [entry(Kind.OPERATOR, number) for number in range(code_count)]
    library = [entry(Kind.KERNEL, number) for number in range(library_count)]
    return Counts(source="torch.profiler (CPU)", entries=(*library, *code), digest="all", omitted_count=2)


def test_small_counts_are_kept_whole() -> None:
    """Nothing is left out that has room."""
    counts = large(code_count=5, library_count=5)
    assert trimmed(counts) is counts


def test_large_counts_have_at_most_so_many_bytes() -> None:
    """As they stand in the file, indentation included."""
    one = counted(large(code_count=200, library_count=200))
    text = to_json_text(counts_baseline(one))
    without = to_json_text(counts_baseline(replace(one, counts=counts_of(1))))
    assert len(text) - len(without) < MOST_BYTES
    assert len(text) > 0.9 * MOST_BYTES  # and not much less


def test_the_library_goes_before_the_code() -> None:
    """All that the code calls is there as long as anything of the library is."""
    kept = trimmed(large(code_count=40, library_count=200))
    kinds = [one.kind for one in kept.entries]
    assert kinds.count(Kind.OPERATOR) == 40
    assert 0 < kinds.count(Kind.KERNEL) < 200
    assert kept.omitted_count == 2 + 240 - len(kept.entries)
    assert kept.digest == "all"


def test_the_lightest_go_first() -> None:
    """Those that are kept are the first ones, in their order."""
    whole = large(code_count=200, library_count=0)
    kept = trimmed(whole)
    assert kept.entries == whole.entries[: len(kept.entries)]
    assert not any(one.kind in OF_THE_LIBRARY for one in kept.entries)


def session(number: int, counts: Counts | None) -> Record:
    return record(created=f"2025-11-20T10:{number:02}:00Z", counts=counts)


def test_equal_counts_are_in_a_file_once() -> None:
    """The oldest session has them, so that one more session is a few lines more."""
    records = [session(number, counts) for number, counts in enumerate((None, *[counts_of(12)] * 3))]
    shared = with_shared_counts(records)
    assert [None if one.counts is None else len(one.counts.entries) for one in shared] == [None, 1, 0, 0]
    assert with_own_counts(shared) == tuple(records)


def test_other_counts_have_their_own() -> None:
    """A change between sessions is there to be read."""
    records = [session(1, counts_of(12)), session(2, counts_of(13))]
    assert with_shared_counts(records) == tuple(records)


def test_a_file_gives_each_session_its_counts() -> None:
    """What is written is read as the same sessions."""
    stored = baseline(session(1, counts_of(12)), session(2, counts_of(12)), session(3, counts_of(13)))
    assert from_json_text(to_json_text(stored), "a file") == stored


def test_work_that_calls_nothing_has_counts() -> None:
    """No entry at all is a count, and not an absent one."""
    nothing = Counts(source="calls of Python", entries=(), digest="nothing")
    stored = baseline(session(1, nothing), session(2, nothing))
    assert from_json_text(to_json_text(stored), "a file") == stored


def test_entries_that_are_gone_are_absent() -> None:
    """A session that was deleted by hand takes the entries of the later ones along: that is said."""
    _, second = with_shared_counts([session(1, counts_of(12)), session(2, counts_of(12))])
    (read,) = with_own_counts([second])
    assert read.counts is None
    assert read.absent["counts"] == "their entries were stored with a session that this file no longer has"


def test_seconds_and_places_are_in_no_way() -> None:
    """Equal digests are equal counts, whatever the clock said."""
    slow = replace(counts_of(12), trace_s=3.0)
    first, second = with_shared_counts([session(1, counts_of(12)), session(2, slow)])
    assert second.counts is not None
    assert (second.counts.entries, second.counts.trace_s) == ((), 3.0)
    assert first.counts == counts_of(12)
