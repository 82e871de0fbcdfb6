import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import METER_FACT, Provenance
from pytest_energy.report import to_terminal, view
from pytest_energy.yardstick import Yardstick
from tests.builders import LAPTOP, OF_ROUNDS, comparison, judgement, reading, record
from tests.fakes.sessions import estimated_session, gpu_session


def _text(judgements: Sequence[Judgement], width: int = 80, *, is_full: bool = True) -> str:
    return to_terminal.render(view.of(judgements), width=width, is_full=is_full)


def _judgements() -> st.SearchStrategy[Judgement]:
    return st.builds(
        lambda name, joules, share, verdict, ratio, provenance, reason: judgement(
            test_id=f"tests/test_x.py::test_{name}",
            energy_j=joules,
            uncertainty_j=joules * share,
            verdict=verdict,
            provenance=provenance,
            reason=reason,
            group="g",
            model=name,
            metrics={"parameters": joules, name or "m": share},
            compared=None if ratio is None else comparison(ratio, (ratio * 0.9, ratio * 1.2)),
        ),
        name=st.text(max_size=120),
        joules=st.floats(1e-8, 1e11),
        share=st.floats(0, 3),
        verdict=st.sampled_from(Verdict),
        ratio=st.none() | st.floats(0.01, 100),
        provenance=st.sampled_from(OF_ROUNDS),
        reason=st.text(max_size=300),
    )


@settings(max_examples=40, deadline=None)  # no clock: a busy machine is slow
@given(st.lists(_judgements(), max_size=4), st.integers(80, 200), st.booleans())
def test_no_line_is_longer_than_the_width(judgements: list[Judgement], width: int, is_full: bool) -> None:  # noqa: FBT001  # given
    """From 80 columns on everything fits, whatever names and numbers there are."""
    lines = _text(judgements, width, is_full=is_full).split("\n")
    assert max(map(wcswidth, lines)) <= width


def test_a_wide_character_takes_two_cells() -> None:
    """Names and reasons in Chinese, Japanese or Korean stay within the width, and columns in line."""
    name = "測試_模型訓練" * 8
    judgements = [
        judgement(test_id=f"t.py::{name}[訓練]", model="模型" * 30, group="組", metrics={"指標" * 9: 1.0}),
        judgement(test_id="t.py::b", verdict=Verdict.VOID, reason="溫度過高 " * 40, group="組", model="b"),
    ]
    for width in (80, 100, 133):
        lines = _text(judgements, width).split("\n")
        assert max(map(wcswidth, lines)) <= width


@settings(max_examples=20, deadline=None)  # no clock: a busy machine is slow
@given(st.lists(_judgements(), min_size=1, max_size=4), st.booleans())
def test_everything_is_printable(judgements: list[Judgement], is_full: bool) -> None:  # noqa: FBT001  # given
    """No name and no reason can move the cursor."""
    assert all(line.isprintable() for line in _text(judgements, is_full=is_full).split("\n"))


def _table_lines(text: str) -> list[str]:
    """The last part: marks, head, rule and rows."""
    return text.rsplit("\n\n", maxsplit=1)[-1].splitlines()


def test_reasons_of_all_but_passes_are_told() -> None:
    """The first line of each reason stands below the table; a pass needs none."""
    text = _text(
        [
            judgement(test_id="t.py::a", verdict=Verdict.REGRESSION, reason="30 % up\nwhat to do: look"),
            judgement(test_id="t.py::b", reason="all well"),
        ]
    )
    assert "  REGRESSION a: 30 % up" in text.splitlines()
    assert "what to do" not in text
    assert "all well" not in text


def test_a_shared_reason_names_three_tests_and_counts_the_rest() -> None:
    """Forty tests without baseline are one reason, not forty."""
    many = [judgement(test_id=f"t.py::t{i}", verdict=Verdict.NO_BASELINE, reason="none") for i in range(40)]
    assert "  no-baseline t0, t1, t2 and 37 more: none" in _text(many).splitlines()


def test_a_number_stays_with_its_unit() -> None:
    """A line never ends between a number and what it counts."""
    reason = " ".join(f"{i} J" for i in range(200))
    lines = _text([judgement(verdict=Verdict.VOID, reason=reason)]).splitlines()
    assert not any(line.endswith(tuple("0123456789")) for line in lines if " J " in line)


def test_many_notes_are_counted() -> None:
    """A screen shows eight notes and says how many more there are."""
    text = _text([judgement(quality=[f"note {i}" for i in range(10)])])
    assert "  note 7" in text
    assert "  note 8" not in text
    assert "  and 2 more, all in the JSON report" in text


def test_sensors_there_and_absent() -> None:
    """A sensor shows its channels and tick, an absent one its reason."""
    text = _text([judgement()])
    assert "  nvml: gpu:0, measured, a new value every 100 ms" in text
    assert "  rapl: absent: /sys/class/powercap" in text


def test_estimates_say_so_in_the_first_line_and_in_every_cell() -> None:
    """Nobody can take an estimate for a measurement."""
    text = _text(estimated_session(), 120)
    assert text.startswith("energy of 4 tests, every joule estimated: 4 unmeasured\n")
    rows = [line for line in _table_lines(text) if "test_inference" in line]
    assert all(line.count("~") == 4 for line in rows)
    assert len(rows) == 3


def test_columns_of_metrics_that_do_not_fit_follow_below() -> None:
    """Every metric is shown at 80 columns: in a further table with the same first column."""
    text = _text(gpu_session())
    training = next(part for part in text.split("\n\n") if part.startswith("training: 7 rows"))
    assert "accuracy" not in training
    assert "accuracy" in text
    assert text.count("\nlenet ") == 2


def test_why_a_metric_is_absent() -> None:
    """A dash in the metric table has its reason below it."""
    assert "overall_efficiency -: GPU utilisation was not told" in _text(gpu_session())


def test_few_rows_and_constant_metrics_are_not_judged() -> None:
    """Below five rows there is a rho but no p; a constant has neither, and the table says why."""
    text = _text(gpu_session(), 120)
    assert "too few rows to judge" in text
    assert "cache_hit_rate, average_output_token_length: one column is constant" in text


def test_a_group_of_another_machine_says_which() -> None:
    """Two groups of one name are told apart by what keeps them apart."""
    text = _text(
        [judgement(group="g"), judgement(group="g", machine=LAPTOP, provenance=Provenance.ESTIMATED)]
    )
    assert "\ng: 1 row\n" in text
    assert "\ng: 1 row, estimated, on core-i7-1260p_estimate\n" in text


def test_a_group_without_metrics_has_no_correlations() -> None:
    """A group of tests that record no metric is a table of joules only."""
    assert "Spearman" not in _text([judgement(group="g", model="a")])


def test_no_tests() -> None:
    """A run without energy tests is two short sections."""
    assert _text([]) == "energy of 0 tests\n\nnotes\n  no test was judged by its energy"
    assert _text([], is_full=False) == "energy of 0 tests\nno test was judged by its energy"


@pytest.mark.parametrize("width", [1, 20, 60])
def test_a_screen_too_narrow_is_no_error(width: int) -> None:
    """Below 80 columns lines may be longer than the screen, but everything is there."""
    assert "REGRESSION" in _text(gpu_session(), width)


def test_notes_of_the_run_come_first() -> None:
    """What holds for the whole run stands before what holds for a round."""
    found = view.of([judgement(quality=["a round's note"])], run_notes=["the run's note"])
    lines = to_terminal.render(found, width=80).splitlines()
    assert lines[lines.index("notes") + 1 :][:2] == ["  the run's note", "  a round's note (5 of 5 rounds)"]


def test_no_line_begins_with_a_command() -> None:
    """What stands in a line as it is may begin the next one, where a runner of CI would obey it."""
    note = "x" * 70 + " ::error::broken"
    text = to_terminal.render(view.of([], run_notes=[note]), width=80)
    assert re.search("(?m)^ *::", text) is None
    assert "error::broken" in text


def test_power_without_work_and_the_yardstick_are_in_the_whole() -> None:
    """Below the sensors, once per channel and load; the short form has neither sensors nor machine."""
    load = record(test_id="yardstick::gpu-compute", rounds=[reading(290.0, duration_s=0.5)])
    judgements = [judgement(idle_power_w=77.84), judgement(idle_power_w=77.84)]
    run = view.of(judgements, yardstick=Yardstick(records=(load,)))
    text = to_terminal.render(run, width=80)
    assert text.count("  gpu:0: idle 77.8 W") == 1
    assert text.count("  yardstick gpu-compute: 290 J in 500 ms") == 1
    short = to_terminal.render(run, width=80, is_full=False)
    assert "idle" not in short
    assert "nvml" not in short
    assert "commit" not in short


def test_metrics_of_tests_without_a_group() -> None:
    """What a test records is in the whole, and what could not be had is a dash."""
    text = _text([judgement(test_id="t.py::a", metrics={"megabytes": 0.7216, "files": None})])
    assert "metrics\n  a: megabytes 0.7216, files -\n" in text
    assert "\nmetrics\n" not in _text([judgement(group="g", model="a", metrics={"megabytes": 0.7})])


class TestTheShortForm:
    """What a run shows without -v: what a reader must know, then the table."""

    def test_twenty_that_pass_leave_room_for_pytests_own_lines(self) -> None:
        """A run of 20 tests has 30 lines; pytest takes 11 of them."""
        judgements = [judgement(test_id=f"t.py::test_sort[{n}]", quality=["busy"]) for n in range(20)]
        lines = _text(judgements, is_full=False).split("\n")
        assert len(lines) <= 18
        assert lines[-1] == "13 more, all pass (-v lists them)"

    def test_a_longer_beginning_leaves_less_for_tests_that_pass(self) -> None:
        """A line more above is a row less, down to three."""
        notes = [f"note no. {n} " + "x " * 60 for n in range(3)]
        judgements = [judgement(test_id=f"t.py::test_sort[{n}]", quality=notes) for n in range(20)]
        lines = _text(judgements, is_full=False).split("\n")
        assert len(lines) <= 18
        assert lines[-1] == "14 more, all pass (-v lists them)"
        run = view.of(judgements)
        table = to_terminal.table_text(run, width=80, is_full=False, paint=to_terminal.plain, above=40)
        assert table.endswith("17 more, all pass (-v lists them)")

    def test_twenty_estimates_without_sensors_do_as_well(self) -> None:
        """One reason for all, one line on what to do, and no sensor by name."""
        one = estimated_session()[0]
        judgements = [
            replace(one, record=replace(one.record, test_id=f"t.py::test_sort[{n}]")) for n in range(20)
        ]
        lines = _text(judgements, is_full=False).split("\n")
        assert len(lines) <= 18
        assert lines[1].startswith("unmeasured: the joules are an estimate")
        assert "no sensor measures here; `pytest-energy doctor` shows how to fix that" in lines

    def test_estimates_of_an_agent_send_the_reader_to_its_machine(self) -> None:
        """What this machine's doctor finds is no help there."""
        one = estimated_session()[0]
        far = replace(one.record.machine, varying={METER_FACT: "http://far:8365"})
        lines = _text([replace(one, record=replace(one.record, machine=far))], is_full=False).split("\n")
        assert "no sensor measures at the meter; `pytest-energy doctor` there shows how to fix" in lines

    def test_why_a_test_failed_stands_in_its_own_text(self) -> None:
        """A failure that pytest reports is not told twice; one that fails nothing is."""
        regression = judgement(verdict=Verdict.REGRESSION, reason="30 % up")
        assert "30 % up" in _text([regression], is_full=False)
        failed = replace(regression, outcome="failed")
        assert "30 % up" not in _text([failed], is_full=False)
        assert "30 % up" in _text([failed])

    def test_reasons_that_differ_in_a_quantity_are_one(self) -> None:
        """Of tests without usable joules, with the range."""
        voids = [
            judgement(test_id=f"t.py::t{n}", verdict=Verdict.VOID, reason=f"others used {n} % of the CPU")
            for n in (47, 72)
        ]
        assert "void: others used 47 to 72 % of the CPU" in _text(voids, is_full=False).splitlines()

    def test_what_does_not_fit_is_counted(self) -> None:
        """Five reasons and three notes, each on two lines at most."""
        many = [
            judgement(test_id=f"t.py::t{n}", verdict=Verdict.VOID, reason=f"no. {n} " + "x " * 200)
            for n in range(9)
        ]
        lines = _text(many, is_full=False).split("\n")
        assert "and 4 more reasons (-v or --energy-report=full shows all)" in lines
        assert sum(line.endswith("...") for line in lines) == 5
        noted = _text([judgement(quality=[f"note no. {n}" for n in range(5)])], is_full=False)
        assert "and 2 more notes (-v or --energy-report=full shows all)" in noted

    def test_the_strongest_correlation_of_each_group(self) -> None:
        """A line per group in place of its tables."""
        text = _text(gpu_session(), is_full=False)
        assert "training: J/sample has rho +0.821 with macs_param, n 7, p 0.034" in text
        assert "requests: J/sample has rho -1.000 with request_rate, n 4, too few rows to judge" in text
        assert "Spearman" not in text

    def test_why_there_is_no_correlation(self) -> None:
        """A group whose metrics can't be ranked says why; one without metrics says nothing."""
        one = judgement(group="g", model="a", metrics={"parameters": 1.0})
        assert "g: no correlation with J/sample: too few rows to rank: 1" in _text([one], is_full=False)
        assert "g:" not in _text([judgement(group="g", model="a")], is_full=False)

    def test_more_than_two_groups_are_counted(self) -> None:
        """Two lines per run."""
        groups = [
            judgement(test_id=f"t.py::{g}{n}", group=g, model=str(n), metrics={"m": float(n)})
            for g in "abcd"
            for n in range(5)
        ]
        lines = [line for line in _text(groups, is_full=False).splitlines() if "J/sample has" in line]
        assert len(lines) <= 2
        assert lines == [] or lines[-1].endswith("; 2 more groups: -v")
