"""Counts in reports: lines that are not said twice, and the table of what the work does otherwise."""

from dataclasses import replace

import pytest

from pytest_energy.counts import Kind
from pytest_energy.judgement import Cause, CountChange, CountsComparison, Judgement, Verdict
from pytest_energy.report import cells, count_cells, to_csv, to_markdown, to_terminal, view
from pytest_energy.report.html.entries import Shared, entry
from tests.builders import COUNTS_COMPARISON, comparison, judgement

LINE = "layer_norm runs 36 times per call, not 12: model.py:41 (forward) adds 24"
OTHER = "the host waits for the GPU 100 times per call, not once: item() at train.py:57 (step)"
CHANGED = replace(COUNTS_COMPARISON, lines=(LINE, OTHER), settings={})


def counted(
    verdict: Verdict, reason: str = "30 % more joules", *, counts: CountsComparison = CHANGED
) -> Judgement:
    return replace(judgement(verdict=verdict, reason=reason), counts_comparison=counts)


class TestLines:
    def test_both_stand_below_the_reason(self) -> None:
        """What changed comes first, the second line after it."""
        assert count_cells.lines(counted(Verdict.REGRESSION)) == [f"what changed: {LINE}", f"and: {OTHER}"]

    def test_what_is_the_headline_is_not_said_again(self) -> None:
        """Where the verdict hangs on counts the worst line is the reason itself."""
        assert count_cells.lines(counted(Verdict.REGRESSION, f"{LINE}\n  and more")) == [f"and: {OTHER}"]

    def test_without_counts_there_are_none(self) -> None:
        """Absent counts say nothing."""
        assert count_cells.lines(judgement()) == []


class TestOnTheScreen:
    def test_a_failing_test_has_two_lines(self) -> None:
        """The reason, then both lines, indented below it."""
        text = to_terminal.render(view.of([counted(Verdict.REGRESSION)]), width=160)
        assert f"30 % more joules\n    what changed: {LINE}\n    and: {OTHER}\n" in text

    def test_a_test_that_passes_and_changed_has_one(self) -> None:
        """The worst line alone; the rest is in the other reports."""
        text = to_terminal.render(view.of([counted(Verdict.PASS)]), width=160)
        assert f"why\n  pass test_training[resnet18]: what changed: {LINE}\n" in text
        assert OTHER not in text

    def test_a_test_that_passes_by_its_counts_has_the_worst_line(self) -> None:
        """Of a pass the reason isn't shown, so that the line which is its headline is told here."""
        text = to_terminal.render(view.of([counted(Verdict.PASS, f"{LINE}\n  and more")]), width=160)
        assert f"why\n  pass test_training[resnet18]: {LINE}\n" in text
        assert OTHER not in text

    def test_other_kernels_for_no_known_reason_are_no_news_of_a_pass(self) -> None:
        """A library tries kernels by itself; that is in the page and in the JSON."""
        (change,) = CHANGED.changes
        inside = replace(CHANGED, changes=(replace(change, kind=Kind.KERNEL, cause=Cause.UNKNOWN),))
        text = to_terminal.render(view.of([counted(Verdict.PASS, counts=inside)]), width=160)
        assert "why" not in text
        assert LINE in to_terminal.render(view.of([counted(Verdict.REGRESSION, counts=inside)]), width=160)

    def test_a_test_that_passes_unchanged_has_none(self) -> None:
        """Nothing changed, nothing is said."""
        unchanged = replace(CHANGED, changes=(), lines=(), verdict=Verdict.PASS)
        text = to_terminal.render(view.of([counted(Verdict.PASS, counts=unchanged)]), width=160)
        assert "why" not in text


class TestOtherReports:
    def test_markdown_tells_what_tests_that_pass_do_otherwise(self) -> None:
        """Folded, a line a test."""
        text = to_markdown.render(view.of([counted(Verdict.PASS)]))
        assert "Changes in tests that pass" in text
        assert "36 times per call" in text

    def test_csv_has_the_ratio_and_the_first_line(self) -> None:
        """Two columns, empty where nothing was counted."""
        with_counts, without = to_csv.table_of_tests(
            view.of([counted(Verdict.PASS), judgement(test_id="t.py::b")])
        ).rows
        assert (with_counts["counts_weight_ratio"], with_counts["counts_change"]) == (1.1, LINE)
        assert without.get("counts_weight_ratio") is None

    def test_a_page_has_a_table(self) -> None:
        """What, then, now, where and why."""
        (row,) = view.of([counted(Verdict.REGRESSION)]).rows
        assert entry(row, Shared())["counts"] == {
            "head": ["what", "then", "now", "where", "cause"],
            "rows": [["layer_norm (bfloat16)", "12", "36", "model.py:41", "code"]],
            "notes": ["weighted work of one call +10.0 % against 2 sessions with counts: regression, judged"],
        }

    def test_the_table_of_tests_has_the_change_that_is_judged(self) -> None:
        """That of the counts where the verdict hangs on them; else that of the joules, or none."""
        by_counts, beside = (
            counted(Verdict.PASS, counts=replace(CHANGED, is_judged=is_judged)) for is_judged in (True, False)
        )
        assert cells.against_baseline(by_counts) == "counts +10.0 %"
        by_far = replace(by_counts, counts_comparison=replace(CHANGED, is_judged=True, weight_ratio=50_001.0))
        assert cells.against_baseline(by_far) == "counts x 50000"
        assert cells.against_baseline(beside) == "-"
        joules = replace(beside, comparison=comparison(1.3))
        assert cells.against_baseline(joules).startswith("+30.0 %")


class TestTable:
    def test_other_inputs_are_shown_as_such(self) -> None:
        """Equal counts: what the largest call worked on, then and now."""
        change = replace(COUNTS_COMPARISON.changes[0], before=(12, 12), after=(12, 12))
        (row,) = count_cells.rows(replace(CHANGED, changes=(change,)))
        assert row[1:3] == ["12 on [64, 512, 768]", "12 on [64, 512, 769]"]

    def test_inputs_whose_largest_call_is_the_same_are_others(self) -> None:
        """Some smaller call works on something else."""
        change = replace(
            COUNTS_COMPARISON.changes[0], before=(12, 12), after=(12, 12), inputs=("[64]", "[64]")
        )
        (row,) = count_cells.rows(replace(CHANGED, changes=(change,)))
        assert row[1:3] == ["12", "12 on other inputs"]

    @pytest.mark.parametrize(
        ("kind", "name", "what"),
        [
            (Kind.WAIT, "aten::item", "waits: item()"),
            (Kind.GRADIENT, "recorded for a backward pass", "nodes for a backward pass"),
            (Kind.GRAPH, "compilation", "torch.compile: compilation"),
            (Kind.KERNEL, "matrix product", "kernel: matrix product"),
            (Kind.INNER, "aten::mm", "inside: aten::mm"),
            (Kind.FUNCTION, "parse (util.py)", "parse (util.py)"),
        ],
    )
    def test_each_kind_says_what_it_is(self, kind: Kind, name: str, what: str) -> None:
        """A name alone doesn't tell a wait from a call."""
        change = replace(COUNTS_COMPARISON.changes[0], kind=kind, name=name, dtype="")
        assert count_cells.rows(replace(CHANGED, changes=(change,)))[0][0] == what

    def test_a_setting_is_a_row(self) -> None:
        """Its old value and its new one."""
        switched = replace(CHANGED, changes=(), settings={"cudnn.benchmark": ("off", "on")})
        assert count_cells.rows(switched) == [["cudnn.benchmark", "off", "on", "-", "setting"]]

    def test_what_is_not_shown_is_counted(self) -> None:
        """Rows past the first twenty, and changes that the judgement has not kept."""
        change = CountChange(
            kind=Kind.COPY,
            name="host to device, pageable",
            before=(1, 1),
            after=(2, 3),
            weight_s=1e-6,
            cause=Cause.CODE,
        )
        many = replace(CHANGED, changes=(change,) * 50, change_count=60)
        rows = count_cells.rows(many)
        assert len(rows) == 20
        assert rows[0][:3] == ["copies from pageable memory to the GPU", "1", "2 to 3"]
        assert count_cells.notes(many)[-1] == "40 lighter changes not shown"

    def test_what_does_not_repeat_is_said(self) -> None:
        """Intervals need a word of what they are."""
        notes = count_cells.notes(replace(CHANGED, is_repeating=False))
        assert "counts that vary are shown and compared as a range, least to most" in notes
