import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.report import to_terminal, view
from pytest_energy.yardstick import Yardstick
from tests.builders import LAPTOP, OF_ROUNDS, comparison, judgement, reading, record
from tests.fakes.sessions import estimated_session, gpu_session


def _text(judgements: Sequence[Judgement], width: int = 80) -> str:
    return to_terminal.render(view.of(judgements), width=width)


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
@given(st.lists(_judgements(), max_size=4), st.integers(80, 200))
def test_no_line_is_longer_than_the_width(judgements: list[Judgement], width: int) -> None:
    """From 80 columns on everything fits, whatever names and numbers there are."""
    lines = _text(judgements, width).split("\n")
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


def test_columns_stand_in_line_beside_a_wide_name() -> None:
    """The verdicts begin in one cell of the screen, whatever stands left of them."""
    lines = _text([judgement(test_id="t.py::漢字"), judgement(test_id="t.py::ascii")], 100).split("\n")
    places = {wcswidth(line[: line.index("pass")]) for line in lines if "t.py::" in line}
    assert len(places) == 1


@settings(max_examples=20, deadline=None)  # no clock: a busy machine is slow
@given(st.lists(_judgements(), min_size=1, max_size=4))
def test_everything_is_printable(judgements: list[Judgement]) -> None:
    """No name and no reason can move the cursor."""
    assert all(line.isprintable() for line in _text(judgements).split("\n"))


def _table_lines(text: str) -> list[str]:
    return text.split("\n\n")[1].splitlines()


def test_a_narrow_screen_sets_bounds_below_the_change() -> None:
    """Where the bounds don't fit beside the change they stand below it, and long names go on below."""
    long = judgement(test_id="t.py::test_training[efficientnet]", compared=comparison(1.304, (1.27, 1.34)))
    lines = _table_lines(_text([long]))
    assert lines[2].split() == [
        "test_training",
        "12.00",
        "+-",
        "0.20",
        "J",
        "12.0",
        "1.00",
        "750",
        "mJ",
        "+30.4",
        "%",
        "pass",
    ]
    assert lines[3].split() == ["[efficientnet]", "[+27,", "+34]"]


def test_a_wide_screen_shows_the_whole_name() -> None:
    """With room enough the test's id is whole and the bounds stand beside the change."""
    lines = _table_lines(_text([judgement(compared=comparison(1.304, (1.27, 1.34)))], 160))
    assert lines[2].startswith("tests/test_model.py::test_training[resnet18]  12.00 +- 0.20 J")
    assert "+30.4 % [+27, +34]" in lines[2]


def test_between_them_the_name_has_its_file() -> None:
    """Names are as long as the width allows, and columns without a value take none of it."""
    lines = _table_lines(_text([judgement(test_id="tests/test_model.py::test_training")], 80))
    assert "vs baseline" not in lines[0]
    assert lines[2].startswith("test_model.py::test_training  ")


def test_a_crowded_table_heads_each_row_with_its_name() -> None:
    """Where values leave no room for a name, each name has a line above its values."""
    lines = _table_lines(_text(gpu_session()))
    assert lines[0] == "test"
    assert lines[3] == "test_training[resnet18]"
    assert lines[4].endswith("+30.4 % [+27, +34]  REGRESSION")


def test_a_crowded_table_may_set_bounds_below_too() -> None:
    """Values that don't fit by themselves are folded too, and no line of one row goes to another."""
    wide = judgement(
        energy_j=1234.56789,
        uncertainty_j=0.0012,
        provenance=Provenance.ESTIMATED,
        verdict=Verdict.NOT_COMPARABLE,
        compared=comparison(0.111111, (0.1234567, 0.1234589)),
    )
    lines = _table_lines(_text([wide, judgement(test_id="t.py::last", duration_s=0.0000123)]))
    assert [line for line in lines if "last" in line or "training" in line] == [
        "test_training[resnet18]",
        "last",
    ]
    above = lines[: lines.index("last")]
    assert [line.split()[-1] for line in above[-2:]] == ["[-87.65433,", "-87.65411]"]


def test_a_long_name_is_shortened_in_its_middle() -> None:
    """A name that would fill the screen keeps its beginning and its end."""
    lines = _table_lines(_text([judgement(test_id=f"t.py::test_begin[{'x' * 500}-end]")]))
    assert lines[3].startswith("test_begin")
    assert lines[5].endswith("-end]")
    assert len(lines) == 8


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
    assert all(line.count("~") == 3 for line in rows)
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


def test_two_thousand_tests_are_one_table() -> None:
    """Every one of many tests has its row."""
    many = [judgement(test_id=f"t{i % 7}.py::test[{i}]", compared=comparison(1.01)) for i in range(2000)]
    assert sum(line.startswith("test[") for line in _text(many).splitlines()) == 2000


@pytest.mark.parametrize("width", [1, 20, 60])
def test_a_screen_too_narrow_is_no_error(width: int) -> None:
    """Below 80 columns lines may be longer than the screen, but everything is there."""
    assert "REGRESSION" in _text(gpu_session(), width)


def test_notes_of_the_run_come_first() -> None:
    """What holds for the whole run stands before what holds for a round."""
    found = view.of([judgement(quality=["a round's note"])], run_notes=["the run's note"])
    lines = to_terminal.render(found, width=80).splitlines()
    assert lines[lines.index("notes") + 1 :][:2] == ["  the run's note", "  a round's note (5 of 5 rounds)"]


@pytest.mark.parametrize("shows_rest", [True, False])
def test_power_without_work_is_shown_when_asked(*, shows_rest: bool) -> None:
    """It stands below the sensors, once a channel."""
    found = view.of([judgement(idle_power_w=77.84), judgement(idle_power_w=77.84)])
    text = to_terminal.render(found, width=80, shows_rest=shows_rest)
    assert text.count("  gpu:0: idle 77.8 W") == shows_rest


@pytest.mark.parametrize("shows_rest", [True, False])
def test_the_yardstick_is_shown_when_asked(*, shows_rest: bool) -> None:
    """A load a line, below the sensors; none is a row of the table."""
    rounds = [reading(290.0, duration_s=0.5)]
    yardstick = Yardstick(records=(record(test_id="yardstick::gpu-compute", rounds=rounds),))
    text = to_terminal.render(view.of([judgement()], yardstick=yardstick), width=80, shows_rest=shows_rest)
    assert text.count("  yardstick gpu-compute: 290 J in 500 ms") == shows_rest
    assert text.count("gpu-compute") == shows_rest


def test_no_line_begins_with_a_command() -> None:
    """What stands in a line as it is may begin the next one, where a runner of CI would obey it."""
    note = "x" * 70 + " ::error::broken"
    text = to_terminal.render(view.of([], run_notes=[note]), width=80)
    assert re.search("(?m)^ *::", text) is None
    assert "error::broken" in text
