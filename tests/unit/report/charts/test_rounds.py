"""Rounds of one test: what they are held against, what was lost, by channel."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.report import view
from pytest_energy.report.charts import rounds
from pytest_energy.report.charts.rounds import Rounds
from pytest_energy.report.charts.spec import Band, Boxes, Chart, Crosses, Marks, Rule
from tests.browser.runs import rounds as readings
from tests.builders import comparison, judgement, record, sessions
from tests.fakes.sessions import estimated_session, replayed_session
from tests.unit.report.charts.layers import keys, layer, layers

HELD = replace(comparison(1.02), tolerance=0.04, entry_energies_j=(11.9, 12.1, 12.0))
NO_TOLERANCE = "The tolerance is not in this run's JSON; --tolerance draws its band."
NO_LEVELS = "The levels of the sessions are not in this run's JSON; --baselines draws the sessions."


def compared(judged: Judgement, *, older: Sequence[Record] = (), tolerance: float | None = None) -> Rounds:
    found = rounds.compared_rounds(judged, sessions=older, tolerance=tolerance)
    assert isinstance(found, Rounds)
    return found


def chart_of(judged: Judgement, *, older: Sequence[Record] = (), tolerance: float | None = None) -> Chart:
    return rounds.chart(compared(judged, older=older, tolerance=tolerance))


def gross_chart(judged: Judgement) -> Chart:
    gross = rounds.gross_rounds(judged)
    assert gross is not None
    return rounds.chart(gross)


# ---- compared with a baseline ----


def test_rounds_level_bounds_and_tolerance() -> None:
    """Rounds, baseline, the band above it, and the level with the bounds of the comparison."""
    judged = judgement(compared=comparison(1.02), budget_j=13.0, round_count=3)
    chart = chart_of(judged, tolerance=0.05)
    marks = layer(chart, Marks, "a round, with")
    assert marks.points == ((1.0, 12.0), (2.0, 12.0), (3.0, 12.0))
    assert marks.bars[0] == pytest.approx((11.8, 12.2))
    assert layer(chart, Rule, "baseline 12 J (3 sessions)").at == 12.0
    assert layer(chart, Rule, "budget 13 J").at == 13.0
    level = layer(chart, Marks, "level of this run")
    assert level.points[0] == pytest.approx((4, 12.24))
    assert level.bars[0] == pytest.approx((0.99 * 12, 1.05 * 12))
    (band,) = [band for band in layers(chart, Band) if band.colour == "third"]
    assert band.ends == pytest.approx((12.0, 12.6))
    assert layer(chart, Rule, "tolerance +5 %: up to 12.6 J").at == pytest.approx(12.6)
    noted = rounds.notes(compared(judged, tolerance=0.05))
    assert NO_LEVELS in noted
    assert NO_TOLERANCE not in noted


def test_what_the_run_holds_is_drawn() -> None:
    """The run's own tolerance and its sessions' levels, where no others are given; nothing is lacking."""
    judged = judgement(compared=HELD)
    chart = chart_of(judged)
    assert layer(chart, Marks, "level of each baseline session").points == ((1, 11.9), (2, 12.1), (3, 12.0))
    assert layer(chart, Marks, "a round, with").points[0] == (4, 12.0)
    assert layer(chart, Rule, "tolerance +4 %").at == pytest.approx(12.48)
    assert not {NO_LEVELS, NO_TOLERANCE} & set(rounds.notes(compared(judged)))
    given = chart_of(judged, older=sessions(2), tolerance=0.1)
    assert layer(given, Marks, "rounds of each baseline session").points[0] == (1, 10.0)
    assert layer(given, Rule, "tolerance +10 %").at == pytest.approx(13.2)


def test_one_session_is_the_baseline() -> None:
    """The level of a single session is the baseline's: nothing is lacking."""
    judged = judgement(compared=comparison(1.02, entry_count=1))
    noted = rounds.notes(compared(judged, tolerance=0.05))
    assert not {NO_LEVELS, NO_TOLERANCE} & set(noted)


def test_a_tolerance_that_nobody_gave_is_not_drawn() -> None:
    """Of a run that doesn't hold it no band is invented; the figure says how to get one."""
    judged = judgement(compared=comparison(1.02, note="a CV of 3 % a round is assumed"))
    assert [band.colour for band in layers(chart_of(judged), Band)] == ["first"]
    noted = rounds.notes(compared(judged))
    assert noted[-2:] == (NO_TOLERANCE, "a CV of 3 % a round is assumed.")


def test_sessions_older_than_the_run() -> None:
    """Their rounds stand left of the run's; one accepted since is left out, and the change told."""
    late = replace(record(99.0), created="2027-01-01T00:00:00Z")
    judged = judgement(compared=comparison(1.02))
    shown = compared(judged, older=[*sessions(2), late])
    assert [session_j[0] for session_j in shown.sessions_j] == [10.0, 11.0]
    chart = rounds.chart(shown)
    assert layer(chart, Marks, "a round, with").points[0] == (3, 12.0)
    assert [text for _, text in chart.x.ticks][:3] == ["2025-11-20", "2025-11-20", "1"]
    noted = rounds.notes(shown)
    assert "The baseline's file has 2 sessions older than this run: it has changed since." in noted


def test_confirming_rounds_have_their_own_shape() -> None:
    """The second batch is told from the first."""
    judged = judgement(compared=comparison(1.1), verdict=Verdict.REGRESSION, round_count=6)
    judged = replace(judged, record=replace(judged.record, confirming_count=3))
    chart = chart_of(judged)
    first, second = layer(chart, Marks, "a round, with"), layer(chart, Marks, "a round that confirms")
    assert [x for x, _ in second.points] == [4, 5, 6]
    assert first.form != second.form
    assert rounds.notes(compared(judged))[0].startswith("REGRESSION: +10.0 % against the baseline")


def test_rounds_are_the_joules_that_were_compared() -> None:
    """Net joules a sample: rounds, axis and sessions in those; budget and interval are of others."""
    judged = judgement(compared=replace(comparison(energy_j=0.6), basis="net joules a sample"), budget_j=13.0)
    chart = chart_of(judged, older=sessions(1))
    assert layer(chart, Marks, "a round, with").points[0] == (1, 10.0 / 16)
    assert chart.y.label == "net energy per sample (mJ)"
    assert not any(key.startswith(("budget", "95 %", "rounds of each")) for key in keys(chart))


def test_a_budget_a_sample_stands_beside_joules_a_sample() -> None:
    """Each budget stands beside the joules that it limits."""
    judged = judgement(compared=replace(comparison(energy_j=0.75), basis="joules a sample"))
    judged = replace(judged, budget=replace(judged.budget, budget_per_sample_j=0.8))
    assert layer(chart_of(judged), Rule, "budget 800 mJ").at == 0.8


def test_rounds_that_can_not_be_shown() -> None:
    """No comparison, a basis of a later version, net joules without idle power: the reason."""
    later = replace(comparison(), basis="joules a furlong")
    net = replace(comparison(), basis="net joules")
    assert rounds.compared_rounds(judgement()) == "it was not compared with a baseline"
    assert rounds.compared_rounds(judgement(compared=later)) == (
        "it was compared by 'joules a furlong', which this version doesn't know"
    )
    because = rounds.compared_rounds(judgement(compared=net, idle_power_w=None))
    assert because == "net joules need the idle power of gpu:0, which is not known"


def test_the_page_is_called_for_the_test() -> None:
    """Title, chart and notes are those of the test."""
    judged = judgement(compared=HELD)
    (row,) = view.of([judged]).rows
    sheet = rounds.sheet(row.short_id, compared(judged))
    assert sheet.title == "test_training[resnet18]: rounds against the baseline"
    assert sheet.charts == (chart_of(judged),)


# ---- gross joules, compared or not ----


def test_without_a_comparison_there_are_the_rounds_alone() -> None:
    """Their interval stands behind them; there is no level, no session and no baseline."""
    chart = gross_chart(judgement(round_count=3))
    assert keys(chart) == [
        "95 % interval of the mean of the rounds",
        "a round, with its standard uncertainty",
    ]
    assert [text for _, text in chart.x.ticks] == ["1", "2", "3"]
    assert chart.title == "Energy of each round"


def test_a_baseline_of_another_quantity_is_not_drawn_among_rounds() -> None:
    """Joules a sample are no joules of a round: no line beside them."""
    chart = gross_chart(judgement(compared=replace(HELD, basis="joules a sample")))
    assert keys(chart) == keys(gross_chart(judgement()))


def test_gross_rounds_of_a_comparison_are_those_compared() -> None:
    """Page and file show one chart where a baseline holds gross joules of a round."""
    judged = judgement(compared=HELD, budget_j=13.0)
    assert gross_chart(judged) == chart_of(judged)


def test_a_round_without_joules_is_a_gap() -> None:
    """A void round is no 0: a cross at its place, and the others stay at theirs."""
    lost = Reading(
        channels={},
        duration_s=1.0,
        uncertainty_j=0.0,
        provenance=Provenance.MEASURED,
        void_because="the counter stood",
    )
    judged = judgement()
    first, last = readings(2)
    chart = gross_chart(replace(judged, record=replace(judged.record, rounds=(first, lost, last))))
    assert layer(chart, Crosses).places == (2.0,)
    assert [x for x, _ in layer(chart, Marks).points] == [1, 3]


def test_nothing_usable_is_not_drawn() -> None:
    """No joules, or joules that must not be used: no chart."""
    assert rounds.gross_rounds(judgement(energy_j=None, verdict=Verdict.UNMEASURED)) is None
    assert rounds.gross_rounds(judgement(verdict=Verdict.VOID)) is None


def test_estimates_and_replays_are_called_so() -> None:
    """Title and axis say that joules were not measured."""
    assert gross_chart(estimated_session()[0]).title == "Estimated energy of each round"
    assert gross_chart(replayed_session()[0]).y.label == "replayed energy per round (J)"


def test_very_many_rounds_have_few_numbers() -> None:
    """A hundred rounds: ten numbers, the first among them."""
    texts = [text for _, text in gross_chart(judgement(round_count=100)).x.ticks]
    assert texts[:2] == ["1", "11"]
    assert len(texts) == 10


# ---- by channel ----


def test_channels_are_stacked() -> None:
    """Each channel's boxes stand on those of the channel before it."""
    judged = judgement()
    chart = rounds.channel_chart(replace(judged.record, rounds=readings(2)))
    assert chart is not None
    assert chart.caption == ("from below: gpu:0, cpu:package-0, dram:package-0",)
    gpu, cpu, dram = layers(chart, Boxes)
    assert [box[2:] for box in gpu.boxes] == [(0.0, 300.0), (0.0, 304.0)]
    assert [box[2:] for box in cpu.boxes] == [(300.0, 380.0), (304.0, 383.0)]
    assert dram.boxes[0][3] == 402.5
    assert len({gpu.fill, cpu.fill, dram.fill}) == 3
    assert chart.y.lower == 0.0


def test_one_channel_has_no_parts() -> None:
    """There is nothing to see in a single channel."""
    assert rounds.channel_chart(judgement().record) is None
