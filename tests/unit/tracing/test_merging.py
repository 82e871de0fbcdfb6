"""Two traces as one."""

from dataclasses import replace

from pytest_energy.counts import CallPlace, CountEntry, Kind
from pytest_energy.tracing.merging import digest_of, merged

RELU = CountEntry(kind=Kind.OPERATOR, name="aten::relu", count=3, size_bytes=12.0, inputs="a", duration_s=2.0)
PLACES = (CallPlace(file="model.py", line=1, function="forward", count=3),)


def test_equal_traces() -> None:
    """Equal counts are no interval; the second trace adds its places, and the shorter time stands."""
    (entry,) = merged([RELU], [replace(RELU, places=PLACES, duration_s=1.0)])
    assert entry == replace(RELU, places=PLACES, duration_s=1.0)


def test_counts_that_differ() -> None:
    """A count that differs is an interval, with the least amounts and no inputs to compare."""
    (entry,) = merged([RELU], [replace(RELU, count=5, size_bytes=20.0, inputs="b")])
    assert (entry.bounds, entry.size_bytes, entry.inputs) == ((3, 5), 12.0, "")


def test_entry_of_one_trace() -> None:
    """What only one of two calls did may be done not at all."""
    assert [entry.bounds for entry in merged([RELU], [])] == [(0, 3)]
    assert [entry.bounds for entry in merged([], [RELU])] == [(0, 3)]


def test_digest() -> None:
    """Order, time and place are not compared; counts, bytes and inputs are."""
    other = replace(RELU, name="aten::mul")
    assert digest_of([RELU, other]) == digest_of([other, replace(RELU, duration_s=9.0, places=PLACES)])
    for changed in (replace(RELU, count=4), replace(RELU, size_bytes=13.0), replace(RELU, inputs="b")):
        assert digest_of([changed]) != digest_of([RELU])
