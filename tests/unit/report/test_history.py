"""The sessions of one baseline on a screen."""

from dataclasses import replace

import pytest

from pytest_energy.baselines.schema import Baseline
from pytest_energy.model import JoinedAs, Provenance, Record
from pytest_energy.report.history import ASCII_BLOCKS, BLOCKS, chart, drift_text, points, render
from tests.builders import KEY, TEST_ID, record

COMMIT = {"git_commit": "3f786850e387550fdab836ed7e6dc881de23001b", "git_dirty": "no"}


def baseline(*sessions: Record) -> Baseline:
    return Baseline(test_id=TEST_ID, machine_key=KEY, entries=sessions)


def rising(count: int, *, share: float) -> Baseline:
    """*count* sessions, each *share* above the one before, half a percent too high or too low."""
    noise = (0.995, 1.005)
    return baseline(
        *(
            record(
                *(100 * (1 + share) ** n * noise[n % 2] * more for more in noise),
                created=f"2025-11-{n + 1:02}T10:00:00Z",
                shown=COMMIT,
            )
            for n in range(count)
        )
    )


def test_a_point_tells_mean_spread_and_change() -> None:
    """Of rounds of 10 and 12 J after a session of 10 J: 11 J, a CV of 12.9 %, and the change of the logs."""
    first, second = points(baseline(record(10.0, 10.0), record(10.0, 12.0)))
    assert (first.energy_j, first.cv, first.ratio) == (10.0, 0.0, 1.0)
    assert second.energy_j == 11.0
    assert second.cv == pytest.approx(2**0.5 / 11)
    assert second.ratio == pytest.approx((10 * 12) ** 0.5 / 10)
    assert second.uncertainty_j is not None
    assert second.uncertainty_j >= 1.0  # s / sqrt(2)


def test_one_round_has_no_spread() -> None:
    """A CV of one round is absent, not 0."""
    (point,) = points(baseline(record(10.0)))
    assert point.cv is None


def test_a_round_of_0_j_has_no_ratio() -> None:
    """What has no logarithm is shown without change and uncertainty, not refused."""
    history = baseline(record(10.0), record(0.0, 0.0, created="2025-11-21T10:00:00Z"))
    _, point = points(history)
    assert (point.energy_j, point.cv, point.ratio, point.uncertainty_j) == (0.0, None, None, None)
    assert "0 J" in render(history, is_ascii=True)


def test_the_whole_history() -> None:
    """Test, machine, a line a session with commit and change, the trend with its scale, the drift."""
    dirty = COMMIT | {"git_dirty": "yes"}
    text = render(
        baseline(
            record(10.0, 10.0, shown=COMMIT, uncertainty_j=0.1),
            record(10.5, 10.5, created="2025-11-21T12:30:00+02:00", shown=dirty, uncertainty_j=0.1),
            record(11.0, uncertainty_j=0.1, created="2025-11-22T10:00:00Z"),
        ),
        is_ascii=False,
    )
    assert text.splitlines() == [
        TEST_ID,
        f"on {KEY}: 3 sessions, measured",
        "",
        "   date (UTC)        commit    rounds           energy   CV  vs first",
        "1  2025-11-20 10:00  3f78685        2  10.00 +- 0.10 J  0 %       0 %  pinned",
        "2  2025-11-21 10:30  3f78685+       2  10.50 +- 0.10 J  0 %    +5.0 %  pinned",
        "3  2025-11-22 10:00  -              1  11.00 +- 0.34 J    -   +10.0 %  pinned",
        "",
        "trend  ▁▅█  10 J to 11 J",
        "drift  needs 5 sessions, the first 3 as the reference",
    ]


def test_joules_that_were_not_measured_are_marked() -> None:
    """An estimate carries its mark and what it means."""
    estimated = record(10.0, provenance=Provenance.ESTIMATED)
    text = render(baseline(estimated), is_ascii=True)
    assert "~10.0" in text
    assert "1 session, estimated" in text
    assert "~ estimated, not measured" in text


def test_a_creep_is_told_with_where_it_began() -> None:
    """A rise of 2 % a session is a drift, with its size, the first session of it, and that one's commit."""
    text = drift_text(rising(10, share=0.02))
    assert text.startswith("drift  +")
    assert "since session 4 (2025-11-04, commit 3f78685)" in text


def test_a_new_level_has_a_history_of_its_own() -> None:
    """What a merge left before it is neither pinned nor any reference of a drift."""
    old = rising(12, share=0.01).entries
    level = (replace(old[2], joined_as=JoinedAs.LEVEL), *old[3:])
    text = render(baseline(*old[:2], *level), is_ascii=True)
    marks = [line.split(" %")[-1].strip() for line in text.splitlines()[4:16]]
    assert marks == [*["no longer used"] * 2, "pinned, a new level", "pinned", "pinned", *[""] * 7]
    alone, after = drift_text(baseline(*level)), drift_text(baseline(*old[:2], *level))
    assert "since session 4 (2025-11-06" in alone
    assert after == alone.replace("session 4", "session 6")


def test_an_improvement_that_waits_says_so() -> None:
    """It is shown, with what it waits for."""
    old = rising(4, share=0.0).entries
    text = render(baseline(*old[:3], replace(old[3], joined_as=JoinedAs.IMPROVEMENT)), is_ascii=True)
    marks = [line.split(" %")[-1].strip() for line in text.splitlines()[4:8]]
    assert marks == [*["pinned"] * 3, "not used yet: an improvement that no second session confirms"]


def test_chance_is_no_creep() -> None:
    """Sessions that only scatter have none."""
    assert drift_text(rising(10, share=0.0)).startswith("drift  none beyond chance")


def test_a_drift_without_joules_is_not_told() -> None:
    """A session of 0 J has no place in it."""
    sessions = [record(10.0 * (n != 4), created=f"2025-11-{n + 1:02}T10:00:00Z") for n in range(6)]
    assert drift_text(baseline(*sessions)).startswith("drift  not available: a session without joules")


def test_a_chart_spans_its_values() -> None:
    """The smallest value is the lowest block and the largest the highest, in either alphabet."""
    assert chart([3.0, 1.0, 2.0], is_ascii=False) == BLOCKS[-1] + BLOCKS[0] + "▅"
    assert chart([3.0, 1.0], is_ascii=True) == ASCII_BLOCKS[-1] + ASCII_BLOCKS[0]
    assert chart([2.0, 2.0], is_ascii=True) == "__"
    assert ASCII_BLOCKS.isascii()
    assert len(ASCII_BLOCKS) == len(BLOCKS)


def test_a_long_history_has_a_chart_of_several_lines() -> None:
    """No line of a chart is longer than 60 sessions."""
    sessions = [record(10.0 + n, created=f"2025-11-20T10:{n % 60:02}:{n // 60:02}Z") for n in range(70)]
    lines = render(baseline(*sessions), is_ascii=True).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("trend  "))
    assert len(lines[start]) == len("trend  ") + 60
    assert lines[start + 1].startswith("       ")
    assert lines[start + 1].endswith("#  10 J to 79 J")


def test_foreign_text_moves_no_cursor() -> None:
    """A commit or a key that holds control characters is shown with them visible."""
    one = record(10.0, shown={"git_commit": "\x1b[2Jabc"}, key="k\n")
    text = render(Baseline(test_id=TEST_ID, machine_key="k\n", entries=(one,)), is_ascii=True)
    assert "\x1b" not in text
    assert "on k\\n:" in text
