from pytest_energy.judgement import Verdict
from pytest_energy.report import cells, view
from pytest_energy.report.reasons import headline, of_tests, several, shared_reasons
from tests.builders import judgement


def test_reasons_shared_by_tests_are_told_once() -> None:
    """Tests with one verdict and one text are one entry; who has no text has none."""
    rows = view.of(
        [
            judgement(test_id="t.py::a", verdict=Verdict.NO_BASELINE, reason="none"),
            judgement(test_id="t.py::b", verdict=Verdict.NO_BASELINE, reason="none"),
            judgement(test_id="t.py::c"),
        ]
    ).rows
    ((verdict, reason, members),) = shared_reasons(
        rows, lambda one: None if one.verdict is Verdict.PASS else cells.first_line(one.reason)
    )
    assert (verdict, reason, [row.short_id for row in members]) == (Verdict.NO_BASELINE, "none", ["a", "b"])


def test_reasons_without_joules_are_shared_by_kind() -> None:
    """Of void tests the range counts; of a regression each has its own figures."""
    texts = ("used 47 % of it", "used 72 % of it")
    for verdict, expected in ((Verdict.VOID, ["used 47 to 72 % of it"]), (Verdict.REGRESSION, [*texts])):
        rows = view.of([judgement(test_id=f"t.py::{t}", verdict=verdict, reason=t) for t in texts]).rows
        found = shared_reasons(rows, lambda one: one.reason)
        assert [reason for _, reason, _ in found] == expected


def test_a_test_that_its_reason_names_is_this_test() -> None:
    """So that many tests have one reason."""
    one = judgement(test_id="t.py::a[1]", reason="no rounds for t.py::a[1]\nmore")
    assert headline(one) == "no rounds for this test"


def test_remarks_on_tests_are_a_line_per_kind() -> None:
    """With the first three tests, and the number of the others."""
    texts = [(f"t.py::t{n}", f"level up by {n} % since t.py::t{n}") for n in range(1, 6)]
    assert of_tests([*texts, ("t.py::b", "no joules")]) == [
        "t.py::t1, t.py::t2, t.py::t3 and 2 more: level up by 1 to 5 % since this test",
        "t.py::b: no joules",
    ]


def test_names_are_printable() -> None:
    """Whatever a test is called."""
    assert several(["a\x1b[31m", "b"]) == "a\\x1b[31m, b"
