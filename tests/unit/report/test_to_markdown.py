import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Phase
from pytest_energy.report import to_markdown, view
from pytest_energy.verdict.policy import Policy
from tests.builders import baseline, comparison, judged, judgement, phased
from tests.fakes.markdown_page import Page
from tests.fakes.sessions import estimated_session, gpu_session
from tests.unit.report.test_inert_markdown import HOSTILE


def _text(judgements: Sequence[Judgement]) -> str:
    return to_markdown.render(view.of(judgements))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_inert(hostile: str) -> None:
    """A name makes no tag, link, mention, heading or column, wherever it stands."""
    text = _text(
        [
            judgement(
                test_id=f"t.py::{hostile}",
                reason=hostile,
                group=hostile,
                model=hostile,
                metrics={hostile: 1.0, "gone": None},
                absent={"gone": hostile},
                quality=[hostile],
                verdict=Verdict.REGRESSION,
            )
        ]
    )
    page = Page(text)
    assert page.foreign_tags == set()
    assert page.references == []
    assert page.attributes == []
    heads = [line.count("|") for line in text.splitlines() if line.startswith(("| test |", "| model |"))]
    rows = [line.count("|") for line in text.splitlines() if line.startswith("|") and "J |" in line]
    assert len(heads) == len(rows) == 2
    assert heads == rows


@settings(deadline=None)  # no clock: a busy machine is slow
@given(st.text())
def test_any_name_is_one_cell(name: str) -> None:
    """Whatever the name, its row has the columns of the head and is one line."""
    lines = _text([judgement(test_id=name, verdict=Verdict.VOID)]).splitlines()
    (row,) = [line for line in lines if line.endswith("| void |")]
    (head,) = [line for line in lines if line.startswith("| test |")]
    assert row.count("|") == head.count("|")
    assert sum(line.startswith("|") for line in lines) == 3


def test_a_plain_name_is_readable() -> None:
    """An ordinary name stands between backticks as it is."""
    assert "| `test_training[a-b_c]` |" in _text([judgement(test_id="t.py::test_training[a-b_c]")])


def test_worst_first_passes_folded() -> None:
    """What is wrong is in sight and first; passes are counted and folded."""
    text = _text([judgement(test_id="t.py::a"), judgement(test_id="t.py::b", verdict=Verdict.OVER_BUDGET)])
    in_sight = text.split("<details")[0]
    assert "### Energy of 2 tests: 1 OVER-BUDGET, 1 pass" in in_sight
    assert "`b`" in in_sight
    assert "`a`" not in in_sight
    assert "<details><summary>1 pass</summary>\n\n| test " in text


def test_the_failing_come_first_with_the_first_line_of_their_reasons() -> None:
    """Under the heading stands what each did; the whole reason is folded."""
    failing = judgement(
        test_id="t.py::a", verdict=Verdict.REGRESSION, reason="+20.1 % energy, allowed 5 %\nwhat to do: look"
    )
    text = _text([failing, judgement(test_id="t.py::b", verdict=Verdict.VOID)])
    assert "1 void\n\n- **+20.1 % energy, allowed 5 %**: `a`\n\n| test |" in text
    assert "<pre>+20.1 % energy, allowed 5 %\nwhat to do: look</pre>" in text.partition("<details>")[2]


def test_what_is_so_of_the_whole_run_is_in_sight() -> None:
    """Why a run fails as a whole, and what was not compared; other notes are folded."""
    notes = ("FAILED: +11 % in all 10 tests", "traces took 3 s", "ERROR: t.py::x is on one side only")
    text = to_markdown.render(view.of([judgement()], run_notes=notes))
    in_sight, _, folded = text.partition("<details>")
    assert "- FAILED: +11 % in all 10 tests\n- ERROR: t.py::x is on one side only\n" in in_sight
    assert "traces took" not in in_sight
    assert "<summary>1 note</summary>\n\n- traces took 3 s\n" in folded


@pytest.mark.parametrize("verdict", list(Verdict))
def test_sixty_lines_are_in_sight_at_most(verdict: Verdict) -> None:
    """However many tests of whatever verdict, notes and groups there are."""
    text = to_markdown.render(
        view.of(_many(300, verdict), run_notes=[f"ERROR: {number}" for number in range(30)])
    )
    depth, in_sight = 0, 0
    for line in filter(str.strip, text.splitlines()):
        in_sight += depth == 0
        depth += line.count("<details") - line.count("</details>")
    assert 10 <= in_sight <= 60


def test_estimates_are_marked() -> None:
    """Estimated joules have their mark in the cells, a note above and an explanation below."""
    text = _text(estimated_session())
    assert "every joule estimated" in text.splitlines()[1]
    assert "| ~3.07 +- 0.31 J | ~2.85 J | ~28.0 |" in text
    assert "~ estimated, not measured" in text


def test_a_phase_that_fails_its_test_has_its_verdict() -> None:
    """In the line of the phase, with its change, on a screen and in a comment."""
    found = judged(
        phased({"train": 72.0, "serve": 28.0}),
        baseline(phased({"train": 60.0, "serve": 40.0})),
        policy=Policy(phase_baselines=("train",)),
    )
    run = view.of([found])
    line = next(line for line in to_markdown.render(run).splitlines() if "`train`" in line)
    assert "+20.0 % [+16, +24]" in line
    assert "72 %, 0.720 s, REGRESSION" in line
    serve = next(line for line in to_markdown.render(run).splitlines() if "`serve`" in line)
    assert serve.endswith("| 28 %, 0.280 s |")


def test_phases_are_below_their_test() -> None:
    """With their joules, their share and their seconds."""
    phase = Phase(name="write|", energy_j=2.5, uncertainty_j=0.0, duration_s=0.25)
    one = judgement(test_id="t.py::a", energy_j=10.0, duration_s=1.0, verdict=Verdict.REGRESSION)
    rounds = tuple(replace(reading, phases=(phase,)) for reading in one.record.rounds)
    lines = _text([replace(one, record=replace(one.record, rounds=rounds))]).splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("| `a` |"))
    assert lines[number + 1].startswith("| &ensp;<code>write&#124;</code> | 2.5 J | ")
    assert lines[number + 1].endswith(" | 25 %, 0.250 s |")


def test_columns_that_hold_nothing_are_left_out() -> None:
    """A suite without samples and baselines has narrow tables."""
    assert "| test | energy | W | s | verdict |" in _text([judgement(samples=None)])


def test_groups_have_metrics_and_correlations() -> None:
    """Each group is a fold with one row a model and the paper's values beside ours."""
    text = _text(gpu_session())
    assert "<details><summary>training: 7 rows</summary>" in text
    assert "| paper HC-1 | paper HC-2 | paper HC-3 |" in text
    assert "| `macs_param` | +0.821 | 7 |" in text
    assert "- overall\\_efficiency -: GPU utilisation was not told" in text


def test_a_group_without_metrics_has_no_correlations() -> None:
    """A group that records nothing is a table of joules."""
    assert "Spearman" not in _text([judgement(group="g")])


def _many(count: int, verdict: Verdict, length: int = 30) -> list[Judgement]:
    return [
        judgement(
            test_id=f"t.py::test_{i}[{'<' * length}]",
            verdict=verdict,
            reason=f"{i} " + "<&>" * length,
            quality=[f"note {i} {'@' * length}"],
            group=f"g{i % 50}",
            model=f"m{i}" + "|" * length,
            metrics={f"m{j}": float(i) for j in range(3)} if i < 200 else {},
            compared=comparison(1.0),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("verdict", [Verdict.REGRESSION, Verdict.PASS])
@pytest.mark.parametrize(("count", "length"), [(2000, 5), (300, 2000)])
def test_never_longer_than_a_comment_may_be(verdict: Verdict, count: int, length: int) -> None:
    """However many tests and however long their names, the comment fits, and says what is left out."""
    text = _text(_many(count, verdict, length))
    assert len(text) <= to_markdown.LIMIT
    assert re.search(r"\.\.\. and \d+ more tests", text)
    assert re.search(r"\.\.\. and \d+ more groups", text)
    assert text.count("<details") == text.count("</details>")
    assert text.count("<pre>") == text.count("</pre>")


def test_what_is_left_out_and_what_is_shown_add_up() -> None:
    """No test is missing without being counted."""
    text = _text([judgement(test_id=f"t.py::t{i}", verdict=Verdict.VOID) for i in range(2000)])
    shown = len(re.findall(r"^\| `t\d+`", text, flags=re.MULTILINE))
    left_out = re.search(r"and (\d+) more tests", text)
    assert left_out is not None
    assert shown + int(left_out[1]) == 2000


def test_a_shared_reason_is_told_once() -> None:
    """Many tests with one reason are one entry that counts them."""
    text = _text([judgement(test_id=f"t.py::t{i}", verdict=Verdict.VOID, reason="hot") for i in range(30)])
    assert text.count("<pre>hot</pre>") == 1
    assert "`t4` and 25 more" in text


def test_no_tests() -> None:
    """A session without tests is a heading and a note."""
    assert _text([]) == (
        "<!-- pytest-energy -->\n### Energy of 0 tests\n\n- no test was judged by its energy\n"
    )
