"""The counts of a load: what was asked of a server, and what its cache spared."""

from collections.abc import Sequence

from pytest_energy.counts import Counts, Kind
from pytest_energy.errors import Absent
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import CacheCounters
from pytest_energy.serving.load_counts import load_counts
from pytest_energy.serving.load_result import LoadResult, Served


def load(*, hit_tokens: int | None = 5, request_count: int = 4) -> LoadResult:
    """Requests of 5 prompt tokens and 3 written ones."""
    served = tuple(
        Served(
            request_id=str(place),
            due_s=0.0,
            submitted_s=0.0,
            token_times_s=(1.0, 2.0, 3.0),
            prompt_tokens=5,
        )
        for place in range(request_count)
    )
    cache = None if hit_tokens is None else CacheCounters(queried_tokens=20, hit_tokens=hit_tokens)
    return LoadResult(engine="fake", schedule=Schedule(rate=2.0), served=served, cache=cache)


def counts(loads: Sequence[LoadResult]) -> Counts:
    result = load_counts(loads)
    assert isinstance(result, Counts)
    return result


def test_requests_and_tokens() -> None:
    """What a load asks for and gets; prompt tokens that the cache has are no work."""
    amounts = {entry.name: entry.bounds for entry in counts([load()]).entries}
    assert amounts == {
        "output tokens": (12, 12),
        "prompt tokens computed": (15, 15),
        "requests": (4, 4),
    }
    assert {entry.kind for entry in counts([load()]).entries} == {Kind.REQUEST}


def test_without_a_cache_that_tells() -> None:
    """All prompt tokens are named, and nothing is said of a cache."""
    names = [entry.name for entry in counts([load(hit_tokens=None)]).entries]
    assert names == ["output tokens", "prompt tokens", "requests"]


def test_loads_that_differ_are_an_interval() -> None:
    """Whether a prompt is in the cache may hang on when its request comes."""
    both = counts([load(hit_tokens=5), load(hit_tokens=9)])
    computed = next(entry for entry in both.entries if entry.name == "prompt tokens computed")
    assert computed.bounds == (11, 15)
    assert not both.is_repeating


def test_the_digest_is_of_what_is_compared() -> None:
    """Equal loads have one digest; one more request has another."""
    assert counts([load()]).digest == counts([load(), load()]).digest
    assert counts([load()]).digest != counts([load(request_count=5)]).digest


def test_tokens_of_free_lengths_are_no_exact_count() -> None:
    """Rounding in a server's sums may move the end of an answer."""
    free = load_counts([load()], has_free_lengths=True)
    assert isinstance(free, Counts)
    assert [entry.name for entry in free.entries] == ["prompt tokens computed", "requests"]


def test_no_load_no_counts() -> None:
    """Absent, and not counts of nothing."""
    assert load_counts([]) == Absent("no load was run")
