from collections.abc import Sequence
from dataclasses import replace

import pytest
from wcwidth import wcswidth

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Phase, Provenance
from pytest_energy.report import table_of_tests, view
from pytest_energy.report.table_of_tests import Chosen
from tests.builders import comparison, judgement
from tests.fakes.sessions import gpu_session


def drawn(judgements: Sequence[Judgement], width: int = 80, *, is_full: bool = True) -> list[str]:
    """Head and rows, without the rule."""
    run = view.of(judgements)
    chosen = Chosen.all(run.rows) if is_full else Chosen.few(run.rows)
    head, _, *rows = table_of_tests.lines(run, chosen, width, lambda text, _: text)
    return [head, *rows]


def with_phases(one: Judgement, *phases: Phase) -> Judgement:
    rounds = tuple(replace(reading, phases=phases) for reading in one.record.rounds)
    return replace(one, record=replace(one.record, rounds=rounds))


WRITE = Phase(name="write", energy_j=3.0, uncertainty_j=0.1, duration_s=0.25)
READ = Phase(name="read", energy_j=9.0, uncertainty_j=0.1, duration_s=0.75)


def test_a_wide_screen_shows_the_whole_name() -> None:
    """With room enough the test's id is whole and the bounds stand beside the change."""
    row = drawn([judgement(compared=comparison(1.304, (1.27, 1.34)))], 160)[1]
    assert row.startswith("tests/test_model.py::test_training[resnet18]  12.00 +- 0.20 J")
    assert row.endswith("+30.4 % [+27, +34]  pass")


def test_between_them_the_name_has_its_file() -> None:
    """Names are as long as the width allows, and columns without a value take none of it."""
    head, row = drawn([judgement(test_id="tests/test_model.py::test_training")])
    assert "vs baseline" not in head
    assert row.startswith("test_model.py::test_training  ")


def test_a_narrow_screen_has_a_line_per_test() -> None:
    """Watts, seconds and joules per sample are left out for the name; energy, change and verdict stay."""
    head, *rows = drawn(gpu_session())
    assert head.split() == ["test", "energy", "E_tr", "vs", "baseline", "verdict"]
    assert len(rows) == 13
    assert (
        " ".join(rows[0].split()) == "test_tra...resnet18] 403.1 +- 1.2 J 401 J +30.4 % [+27, +34] REGRESSION"
    )


def test_what_is_left_out_stands_in_a_table_of_its_own() -> None:
    """The whole report has every figure at every width."""
    run = view.of(gpu_session())
    further = table_of_tests.further_lines(run, 80)
    assert further[0].split() == ["test", "W", "s", "J/sample"]
    assert len(further) == 2 + 13
    assert table_of_tests.further_lines(run, 160) == []


def test_figures_that_do_not_fit_are_shortened_before_the_name_is_lost() -> None:
    """The uncertainty goes first, then the bounds."""
    wide = judgement(
        energy_j=1234.56789,
        uncertainty_j=0.0012,
        provenance=Provenance.ESTIMATED,
        verdict=Verdict.NOT_COMPARABLE,
        compared=comparison(0.111111, (0.1234567, 0.1234589)),
    )
    row = drawn([wide])[1]
    assert wcswidth(row) <= 80
    assert "~1234.568 J" in row
    assert "+-" in "\n".join(table_of_tests.further_lines(view.of([wide]), 80))


def test_a_long_name_is_shortened_in_its_middle() -> None:
    """It keeps its beginning and its end, on one line."""
    name = drawn([judgement(test_id=f"t.py::test_begin[{'x' * 500}-end]")])[1].split("  ")[0]
    assert name.startswith("test_begin")
    assert name.endswith("-end]")


def test_names_that_differ_in_the_middle_look_different() -> None:
    """Where the middle is all that differs, the cut is made elsewhere."""
    names = [f"test_models[{'x' * 30}-{n}-{'y' * 12}]" for n in range(3)]
    rows = drawn([judgement(test_id=f"t.py::{name}", compared=comparison(1.0)) for name in names])[1:]
    assert len({row.split("  ")[0] for row in rows}) == 3


def test_columns_stand_in_line_beside_a_wide_name() -> None:
    """The verdicts begin in one cell of the screen, whatever stands left of them."""
    rows = drawn([judgement(test_id="t.py::漢字"), judgement(test_id="t.py::ascii")], 100)[1:]
    assert len({wcswidth(row[: row.index("pass")]) for row in rows}) == 1


def test_net_joules_have_the_papers_names() -> None:
    """E_tr for training, E_in for inference, a dash for the other; none where idle power is not known."""
    training = judgement(test_id="t.py::a", group="training", idle_power_w=2.0)
    inference = judgement(test_id="t.py::b", group="inference", idle_power_w=2.0)
    head, first, second = drawn([training, inference], 120)
    assert [head.split().index(name) for name in ("E_tr", "E_in")] == [2, 3]
    assert "10 J     -" in first
    assert "-  10 J" in second
    assert "E_" not in drawn([judgement(group="training", idle_power_w=None), judgement(idle_power_w=2.0)])[0]


class TestPhases:
    """A line per phase under its test."""

    def test_share_joules_and_seconds(self) -> None:
        """Indented, with its share of the joules."""
        _, _, write, read = drawn([with_phases(judgement(test_id="t.py::a"), WRITE, READ)], 120)
        assert write.startswith("  write  ")
        assert write.split()[1:] == ["3", "J", "25", "%,", "0.250", "s"]
        assert read.split() == ["read", "9", "J", "75", "%,", "0.750", "s"]

    def test_one_without_joules_has_a_dash(self) -> None:
        """It is not 0."""
        bare = replace(WRITE, energy_j=None, uncertainty_j=None)
        assert drawn([with_phases(judgement(), bare)], 120)[2].split() == ["write", "-", "0.250", "s"]

    def test_an_estimates_phases_are_marked(self) -> None:
        """They are estimates as well."""
        estimated = judgement(provenance=Provenance.ESTIMATED)
        assert "~3 J" in drawn([with_phases(estimated, WRITE)], 120)[2]

    def test_they_give_way_to_tests(self) -> None:
        """Many tests with phases: the short form has the tests, the whole has both."""
        many = [with_phases(judgement(test_id=f"t.py::t{n}"), WRITE, READ) for n in range(5)]
        assert not any("write" in line for line in drawn(many, is_full=False))
        assert sum("write" in line for line in drawn(many)) == 5
        assert sum("write" in line for line in drawn(many[:2], is_full=False)) == 2


class TestRows:
    """Which tests have a row in the short form."""

    def test_few_tests_keep_their_order(self) -> None:
        """All of them have one."""
        few = [judgement(test_id=f"t.py::t{n}", energy_j=float(n + 1)) for n in range(7)]
        assert [row.split()[0] for row in drawn(few, is_full=False)[1:]] == [f"t.py::t{n}" for n in range(7)]

    def test_of_many_that_pass_those_that_use_most(self) -> None:
        """The most joules first."""
        many = [judgement(test_id=f"t.py::t{n}", energy_j=float(n + 1)) for n in range(1000)]
        *rows, last = drawn(many, is_full=False)[1:]
        assert [row.split()[0] for row in rows] == [f"t.py::t{n}" for n in range(999, 992, -1)]
        assert last == "993 more, all pass (-v lists them)"
        assert len(drawn(many)) == 1001

    @pytest.mark.parametrize(
        "verdict", sorted(set(Verdict) - {Verdict.PASS, Verdict.NO_BASELINE, Verdict.UNMEASURED})
    )
    def test_failures_and_doubts_all_have_one(self, verdict: Verdict) -> None:
        """Up to forty; passes take what room is left, here none."""
        tests = [
            judgement(test_id=f"t.py::t{n}", verdict=verdict if n < 45 else Verdict.PASS) for n in range(60)
        ]
        *rows, last = drawn(tests, is_full=False)[1:]
        assert len(rows) == 40
        assert last.startswith("20 more: 5 ")
        assert last.endswith(", 15 pass (-v lists them)")

    def test_tests_of_one_name_are_counted_as_often_as_there_are(self) -> None:
        """A test that ran twice has two rows."""
        assert len(drawn([judgement()] * 3, is_full=False)) == 4


def test_the_verdict_is_painted() -> None:
    """That of each test, and nothing else on its line."""
    run = view.of([with_phases(judgement(verdict=Verdict.REGRESSION), WRITE), judgement()])
    painted = table_of_tests.lines(
        run, Chosen.all(run.rows), 120, lambda text, verdict: f"<{verdict}>{text}</>"
    )
    assert [line.count("<") for line in painted] == [0, 0, 2, 0, 2]
    assert painted[2].endswith("  <regression>REGRESSION</>")
