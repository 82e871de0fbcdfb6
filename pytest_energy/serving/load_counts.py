"""Exact counts of a load: requests, tokens, cache hits.

Rule 1: nothing looks into the server: its requests are counted here, and what its cache spared by its own
counters.
Rule 2: the tokens of answers whose length is free are no exact count: rounding in a server's sums may move an
end.
"""

import hashlib
from collections.abc import Iterator, Sequence

from pytest_energy.counts import CountEntry, Counts, Kind
from pytest_energy.errors import Absent
from pytest_energy.serving.load_result import LoadResult


def load_counts(loads: Sequence[LoadResult], *, has_free_lengths: bool = False) -> Counts | Absent:
    """What each of *loads*, of one test, came to: least and most where they differ."""
    if not loads:
        return Absent("no load was run")
    amounts = [dict(_amounts(load, has_free_lengths=has_free_lengths)) for load in loads]
    names = [name for name in amounts[0] if all(name in one for one in amounts)]
    entries = tuple(_entry(name, [one[name] for one in amounts]) for name in names)
    text = repr([(entry.name, entry.bounds) for entry in entries])
    return Counts(
        source=f"requests of {loads[0].engine}",
        entries=entries,
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        trace_count=len(loads),
    )


def _amounts(load: LoadResult, *, has_free_lengths: bool) -> Iterator[tuple[str, int]]:
    if not has_free_lengths:
        yield "output tokens", load.output_tokens
    if load.cache is None:
        yield "prompt tokens", load.prompt_tokens
    else:
        yield "prompt tokens computed", load.cache.queried_tokens - load.cache.hit_tokens
    yield "requests", len(load.served)


def _entry(name: str, counts: Sequence[int]) -> CountEntry:
    least, most = min(counts), max(counts)
    return CountEntry(kind=Kind.REQUEST, name=name, count=least, most=most if most > least else None)
