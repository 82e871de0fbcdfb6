"""Traces of the same work, put together."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pytest_energy.counts import CountEntry
from pytest_energy.tracing.operator_inputs import digest


def merged(first: Sequence[CountEntry], second: Sequence[CountEntry]) -> list[CountEntry]:
    """Both as one: where they differ a count is an interval, and amounts are the least.

    Inputs that differ are those of work that depends on data. They are not kept: nothing is to be compared.
    """
    one, other = ({entry.key: entry for entry in entries} for entries in (first, second))
    return [_both(one.get(key), other.get(key)) for key in {**one, **other}]


def _both(one: CountEntry | None, other: CountEntry | None) -> CountEntry:
    if one is None or other is None:
        alone = one or other
        assert alone is not None  # noqa: S101 - a key is of one of the two
        return replace(alone, count=0, most=alone.bounds[1], flops=0.0, size_bytes=0.0, inputs="")
    bounds = (*one.bounds, *other.bounds)
    is_equal = one.inputs == other.inputs
    return replace(
        one,
        count=min(bounds),
        most=max(bounds) if max(bounds) > min(bounds) else None,
        flops=min(one.flops, other.flops),
        size_bytes=min(one.size_bytes, other.size_bytes),
        inputs=one.inputs if is_equal else "",
        duration_s=min(one.duration_s, other.duration_s),
        places=other.places or one.places,
    )


def digest_of(entries: Iterable[CountEntry]) -> str:
    """Of all that is compared: no time and no place."""
    return digest(
        f"{one.kind} {one.name} {one.dtype} {one.bounds} {one.flops:.6g} {one.size_bytes:.6g} {one.inputs}"
        for one in entries
    )
