"""Counts against those of a baseline: what changed, why, where, and what is judged."""

from collections.abc import Mapping, Sequence

import pytest

from pytest_energy.counts import CountEntry, Counts, Kind
from pytest_energy.judgement import Cause, CountsComparison, Verdict
from pytest_energy.verdict.count_changes import compare_counts
from tests.builders import count_entry, counts_with

TORCH = {"torch": ("2.11.0", "2.13.0")}
COMMIT = {"git_commit": ("3f2c1ab", "9d8e7f6")}


def compared(
    fresh: Counts,
    *baseline: Counts,
    facts: Mapping[str, tuple[str, str]] | None = None,
    tolerance: float = 0.0,
) -> CountsComparison:
    comparison = compare_counts(fresh, baseline, facts=facts or {}, tolerance=tolerance, is_judged=True)
    assert comparison is not None
    return comparison


STEP = (
    count_entry("aten::linear", 48, flops=2e12, size_bytes=3e9, place="model.py:20"),
    count_entry("aten::layer_norm", 12, size_bytes=1e8, place="model.py:41"),
    count_entry("AddmmBackward0", 48, flops=4e12),
    count_entry("value is read", 1, kind=Kind.WAIT, place="model.py:57"),
    count_entry("graph nodes", 61, kind=Kind.GRADIENT),
    count_entry("aten::native_layer_norm", 12, kind=Kind.INNER),
    count_entry("layer_norm_kernel", 12, kind=Kind.KERNEL),
)


class TestNothingChanged:
    def test_no_session_with_counts_is_nothing_to_compare_with(self) -> None:
        """Absent counts give no comparison, not one that passes."""
        assert compare_counts(counts_with(*STEP), (), facts={}, tolerance=0.0, is_judged=True) is None

    @pytest.mark.parametrize("first", range(1, 7))
    def test_the_order_of_entries_is_no_change(self, first: int) -> None:
        """Permuted entries give no change, no line and the same weight."""
        comparison = compared(counts_with(*STEP[first:], *STEP[:first]), counts_with(*STEP))
        assert comparison.changes == ()
        assert comparison.lines == ()
        assert comparison.weight_ratio == 1.0
        assert comparison.verdict is Verdict.PASS

    def test_another_commit_and_library_with_equal_counts_are_no_change(self) -> None:
        """Facts that differ make no change by themselves."""
        assert compared(counts_with(*STEP), counts_with(*STEP), facts=TORCH | COMMIT).lines == ()


class TestOneAddedCall:
    @pytest.mark.parametrize("place", range(5))
    def test_it_is_the_one_that_is_named_first(self, place: int) -> None:
        """A call more of one thing is one change, that of this thing, with its place."""
        more = with_more(STEP, place)
        comparison = compared(counts_with(*more), counts_with(*STEP))
        assert [change.name for change in comparison.changes] == [STEP[place].name]
        assert comparison.changes[0].cause is Cause.CODE
        assert comparison.verdict is Verdict.REGRESSION
        assert comparison.lines

    @pytest.mark.parametrize("place", range(5))
    def test_taken_away_it_is_the_mirror_image(self, place: int) -> None:
        """Then and now change places: so do the counts, and the weight changes its sign."""
        more = with_more(STEP, place)
        (there,) = compared(counts_with(*more), counts_with(*STEP)).changes
        (back,) = compared(counts_with(*STEP), counts_with(*more)).changes
        assert (back.before, back.after) == (there.after, there.before)
        assert back.weight_s == pytest.approx(-there.weight_s)

    def test_fewer_calls_are_an_improvement(self) -> None:
        """Weighted work that falls while nothing rises is an improvement."""
        assert compared(counts_with(*STEP), counts_with(*with_more(STEP, 1))).verdict is Verdict.IMPROVEMENT

    def test_a_rise_within_the_tolerance_passes(self) -> None:
        """The change is still shown, and nothing is a rise."""
        comparison = compared(counts_with(*with_more(STEP, 1)), counts_with(*STEP), tolerance=0.02)
        assert comparison.verdict is Verdict.PASS
        assert comparison.change_count == 1
        assert comparison.rises == {}

    def test_what_runs_inside_is_told_with_its_call(self) -> None:
        """The inner operator and the kernel of an added call are no changes of their own."""
        more = with_more(with_more(with_more(STEP, 1), 5), 6)
        comparison = compared(counts_with(*more), counts_with(*STEP))
        assert [change.name for change in comparison.changes] == ["aten::layer_norm"]


class TestCauses:
    def test_other_kernels_under_another_library_are_the_librarys(self) -> None:
        """Equal calls with other kernels pass, and the library is named."""
        comparison = compared(
            counts_with(*STEP[:-1], count_entry("other_kernel", 24, kind=Kind.KERNEL)),
            counts_with(*STEP),
            facts=TORCH,
        )
        assert {change.cause for change in comparison.changes} == {Cause.LIBRARY}
        assert comparison.verdict is Verdict.PASS
        assert comparison.weight_ratio == 1.0
        assert comparison.lines == ("same calls, other kernels: torch 2.11.0 -> 2.13.0",)

    def test_other_kernels_for_no_known_reason_are_unknown(self) -> None:
        """Nothing that is known differs: that is said, and the test passes."""
        comparison = compared(counts_with(*STEP[:-1]), counts_with(*STEP))
        assert [change.cause for change in comparison.changes] == [Cause.UNKNOWN]
        assert comparison.verdict is Verdict.PASS

    def test_other_kernels_under_another_switch_are_the_settings(self) -> None:
        """A switch that differs explains what runs inside."""
        comparison = compared(
            counts_with(*STEP[:-1], settings={"cudnn.benchmark": "True"}),
            counts_with(*STEP, settings={"cudnn.benchmark": "False"}),
        )
        assert [change.cause for change in comparison.changes] == [Cause.SETTING]

    def test_float32_products_in_full_are_a_regression_of_a_setting(self) -> None:
        """The same products weigh more where they don't run as TF32: that is judged."""
        products = count_entry("aten::linear", 48, flops=2e12, dtype="float32")
        comparison = compared(
            counts_with(products, settings={"float32 matmul precision": "highest"}),
            counts_with(products, settings={"float32 matmul precision": "high"}),
        )
        assert [change.cause for change in comparison.changes] == [Cause.SETTING]
        assert comparison.verdict is Verdict.REGRESSION
        assert comparison.settings == {"float32 matmul precision": ("high", "highest")}

    def test_calls_of_the_librarys_own_python_can_not_be_told_apart_from_the_codes(self) -> None:
        """An optimiser of another torch calls more at the same commit: neither passes nor fails."""
        comparison = compared(counts_with(*with_more(STEP, 1)), counts_with(*STEP), facts=TORCH)
        assert [change.cause for change in comparison.changes] == [Cause.LIBRARY]
        assert comparison.verdict is Verdict.NOT_COMPARABLE
        assert comparison.rises == {}

    def test_another_commit_under_another_library_is_the_codes(self) -> None:
        """The code is another one too: what it calls more is held against it."""
        comparison = compared(counts_with(*with_more(STEP, 1)), counts_with(*STEP), facts=TORCH | COMMIT)
        assert [change.cause for change in comparison.changes] == [Cause.CODE]
        assert comparison.verdict is Verdict.REGRESSION


class TestMeasures:
    """What rises besides the weight, which small work doesn't show."""

    def test_operations(self) -> None:
        """The same calls on more: the weight of a small product is that of its call."""
        small, more = (count_entry("aten::linear", flops=flops, inputs=f"{flops}") for flops in (1e3, 2e3))
        comparison = compared(counts_with(more), counts_with(small), tolerance=0.02)
        assert comparison.rises == {"operations": (1e3, 2e3)}
        assert comparison.verdict is Verdict.REGRESSION

    def test_operations_at_full_precision(self) -> None:
        """A switch that is turned off, however small the products are."""
        product = count_entry("aten::linear", flops=1e3, dtype="float32")
        high, highest = ({"float32 matmul precision": value} for value in ("high", "highest"))
        comparison = compared(
            counts_with(product, settings=highest), counts_with(product, settings=high), tolerance=0.02
        )
        assert comparison.rises == {"operations at full precision": (0.0, 1e3)}
        assert [change.cause for change in comparison.changes] == [Cause.SETTING]

    def test_bytes_out_of_order(self) -> None:
        """The same calls along another dimension."""
        along_last, along_other = (
            count_entry("aten::softmax", 1, size_bytes=100.0, inputs=dim, example=f"[4, 5, 5], dim {dim}")
            for dim in ("2", "1")
        )
        comparison = compared(counts_with(along_other), counts_with(along_last), tolerance=0.02)
        assert comparison.rises == {"bytes out of order": (0.0, 100.0)}

    def test_amounts_that_do_not_repeat_are_not_compared(self) -> None:
        """Inputs that differ from trace to trace have no digest: their calls are counted, and no more."""
        then, now = (count_entry("aten::linear", flops=flops, inputs="") for flops in (1e9, 2e9))
        comparison = compared(counts_with(now), counts_with(then))
        assert (comparison.changes, comparison.verdict) == ((), Verdict.PASS)

    def test_any_that_rises_is_a_regression_though_the_weight_fell(self) -> None:
        """Fewer calls that wait more often are no improvement."""
        wait = count_entry("aten::item", 1, kind=Kind.WAIT)
        comparison = compared(counts_with(count_entry(count=2), wait), counts_with(count_entry(count=90)))
        assert comparison.weight_ratio is not None
        assert comparison.weight_ratio < 1
        assert comparison.verdict is Verdict.REGRESSION


class TestIntervals:
    def test_counts_that_meet_are_no_change(self) -> None:
        """12 to 14 calls then, 14 to 16 now: nothing surely rose."""
        comparison = compared(
            counts_with(count_entry(count=14, most=16)), counts_with(count_entry(count=12, most=14))
        )
        assert comparison.changes == ()
        assert comparison.verdict is Verdict.PASS
        assert not comparison.is_repeating

    def test_sessions_that_differ_span_an_interval(self) -> None:
        """The least and the most of all sessions count."""
        sessions = (counts_with(count_entry(count=12)), counts_with(count_entry(count=15)))
        assert compared(counts_with(count_entry(count=14)), *sessions).verdict is Verdict.PASS
        assert compared(counts_with(count_entry(count=16)), *sessions).changes[0].before == (12, 15)

    def test_what_does_not_repeat_hides_nothing(self) -> None:
        """An entry that comes and goes doesn't cover one that is surely new."""
        loose = count_entry("aten::sort", 1, most=40)
        comparison = compared(counts_with(loose, count_entry(count=1)), counts_with(loose))
        assert comparison.rises.keys() == {"weighted work"}
        assert comparison.verdict is Verdict.REGRESSION

    def test_counts_past_the_interval_are_a_regression(self) -> None:
        """The least now is past the most then."""
        comparison = compared(
            counts_with(count_entry(count=15, most=16)), counts_with(count_entry(count=12, most=14))
        )
        assert comparison.verdict is Verdict.REGRESSION


class TestWhatWasLeftOut:
    def test_an_entry_that_may_have_been_left_out_is_not_new(self) -> None:
        """A session that left some of the code's entries out can't tell that one is new."""
        short = counts_with(STEP[0], omitted_count=6)
        assert compared(counts_with(*STEP), short).changes == ()

    def test_a_session_that_left_only_inner_ones_out_tells_the_codes(self) -> None:
        """The library's entries are left out first: while there are some, the code's are whole."""
        short = counts_with(STEP[0], STEP[5], omitted_count=1)
        assert STEP[1].name in {change.name for change in compared(counts_with(*STEP), short).changes}


def with_more(entries: Sequence[CountEntry], place: int) -> list[CountEntry]:
    """*entries*, that at *place* called once more, each call with its share of the work."""
    changed = list(entries)
    old = entries[place]
    share = (old.count + 1) / old.count
    changed[place] = count_entry(
        old.name,
        old.count + 1,
        kind=old.kind,
        flops=old.flops * share,
        size_bytes=old.size_bytes * share,
        place=old.places[0].text if old.places else "",
    )
    return changed
