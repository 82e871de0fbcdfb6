"""Laws of comparing counts, whatever the counts are."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_energy.counts import OF_THE_LIBRARY, CallPlace, CountEntry, Counts, Kind
from pytest_energy.judgement import CountsComparison, Verdict
from pytest_energy.verdict.count_changes import compare_counts
from tests.builders import counts_with

NAMES = (
    "aten::linear",
    "aten::layer_norm",
    "AddmmBackward0",
    "host to device, pageable",
    "graph break",
    "parse",
)
PLACES = st.lists(
    st.builds(
        CallPlace,
        file=st.sampled_from(("model.py", "train.py")),
        line=st.integers(1, 99),
        function=st.sampled_from(("forward", "<lambda>", "step")),
        count=st.integers(1, 50),
    ),
    max_size=3,
).map(tuple)


@st.composite
def entries(draw: st.DrawFn) -> CountEntry:
    count = draw(st.integers(0, 100))
    return CountEntry(
        kind=draw(st.sampled_from(Kind)),
        name=draw(st.sampled_from(NAMES)),
        dtype=draw(st.sampled_from(("", "float32", "bfloat16"))),
        count=count,
        most=draw(st.none() | st.integers(count + 1, count + 9)),
        flops=draw(st.floats(0, 1e15)),
        size_bytes=draw(st.floats(0, 1e12)),
        inputs=draw(st.sampled_from(("", "1f2e", "3d4c"))),
        example=draw(st.sampled_from(("", "[64, 512, 768], dim 1", "[64, 512, 768] strided"))),
        duration_s=draw(st.floats(0, 1)),
        places=draw(PLACES),
    )


COUNTS = st.builds(
    lambda found, settings, omitted_count, source: counts_with(
        *found, settings=settings, omitted_count=omitted_count, source=source
    ),
    st.lists(entries(), max_size=8, unique_by=lambda entry: entry.key),
    st.dictionaries(
        st.sampled_from(("float32 matmul precision", "cuDNN")),
        st.sampled_from(("high", "highest")),
        max_size=2,
    ),
    st.sampled_from((0, 0, 5)),
    st.sampled_from(("torch.profiler (CPU)", "torch.profiler (CPU, CUDA)")),
)
FACTS = st.dictionaries(
    st.sampled_from(("torch", "driver", "git_commit", "python")), st.just(("1", "2")), max_size=3
)
ONE_CODE = st.sampled_from([kind for kind in Kind if kind not in OF_THE_LIBRARY])


def compared(
    fresh: Counts, *baseline: Counts, facts: dict[str, tuple[str, str]] | None = None
) -> CountsComparison:
    comparison = compare_counts(fresh, baseline, facts=facts or {}, tolerance=0.0, is_judged=True)
    assert comparison is not None
    return comparison


@settings(max_examples=50)
@given(COUNTS, FACTS, st.randoms(use_true_random=False))
def test_what_is_the_same_is_no_change(
    counts: Counts, facts: dict[str, tuple[str, str]], order: object
) -> None:
    """Against itself, in any order of the entries: no change, no line, no rise, and a pass."""
    shuffled = list(counts.entries)
    getattr(order, "shuffle")(shuffled)  # noqa: B009 - hypothesis gives a Random that has no type here
    comparison = compared(replace(counts, entries=tuple(shuffled)), counts, facts=facts)
    assert (comparison.changes, comparison.lines, comparison.rises) == ((), (), {})
    assert comparison.verdict is Verdict.PASS


@settings(max_examples=50)
@given(COUNTS, COUNTS, FACTS)
def test_any_two_are_compared_in_at_most_two_lines(
    one: Counts, other: Counts, facts: dict[str, tuple[str, str]]
) -> None:
    """Whatever the counts are, lines have one line each, and something is said where something differs."""
    comparison = compared(one, other, facts=facts)
    assert len(comparison.lines) <= 2
    assert all(line and "\n" not in line for line in comparison.lines)
    assert bool(comparison.lines) or not comparison.changes


@settings(max_examples=50)
@given(COUNTS, COUNTS)
def test_then_and_now_change_places(one: Counts, other: Counts) -> None:
    """Compared the other way round the same things have changed, by as much."""
    there, back = compared(one, other), compared(other, one)
    mirrored = {
        (change.kind, change.name, change.dtype): (change.after, change.before) for change in back.changes
    }
    assert mirrored == {
        (change.kind, change.name, change.dtype): (change.before, change.after) for change in there.changes
    }


@settings(max_examples=50)
@given(COUNTS, ONE_CODE)
def test_one_added_call_is_the_one_that_is_named(counts: Counts, kind: Kind) -> None:
    """What the code did not do before is the only change, a regression, and the first line has its name."""
    added = CountEntry(kind=kind, name="added_thing", count=1, inputs="5a5a")
    fresh = replace(counts, entries=(*counts.entries, added), omitted_count=0)
    comparison = compared(fresh, replace(counts, omitted_count=0))
    assert [change.name for change in comparison.changes] == ["added_thing"]
    assert comparison.verdict is Verdict.REGRESSION
    if kind is not Kind.GRADIENT:  # told by how many nodes there are
        assert "added_thing" in comparison.lines[0]


@settings(max_examples=50)
@given(COUNTS, COUNTS)
def test_a_session_that_is_the_same_makes_it_no_change(fresh: Counts, other: Counts) -> None:
    """Least and most of the sessions hold what one of them was, whatever the other was."""
    comparison = compared(fresh, replace(other, source=fresh.source), fresh)
    assert (comparison.changes, comparison.rises, comparison.verdict) == ((), {}, Verdict.PASS)
