"""What a history shows of a point and of a step."""

from dataclasses import replace

from pytest_energy.history.tracks import Step, Track, history_of
from pytest_energy.judgement import Verdict
from pytest_energy.report.over_commits import words
from tests.fakes.run_histories import failed, noisy, point, runs


def stepped() -> tuple[Track, Step]:
    ((track, step),) = history_of(runs(noisy(40, sd=0.01, steps={30: 1.1}))).steps
    return track, step


def test_a_step_has_its_number_first() -> None:
    """Size with its 95 % interval, then the commit and how long it has lasted."""
    _, step = stepped()
    exact = replace(step, ratio=1.081, ratio_ci=(1.072, 1.09))
    assert words.change(exact) == "+8.1 % [+7.2, +9.0]"
    assert words.where(exact) == "000001e, 10 runs since"
    assert words.where(replace(exact, is_newest=False, run_count=1)) == "000001e, for 1 run"


def test_a_commit_is_short_and_says_that_files_differed() -> None:
    """As in the history of a baseline: seven digits, and a plus."""
    assert words.commit(point(number=30)) == "000001e"
    assert words.commit(point(number=30, is_dirty=True)) == "000001e+"
    assert words.commit(point(commit="")) == "-"


def test_what_became_of_a_run() -> None:
    """Its verdict, that the test itself failed, or that it was accepted."""
    assert words.verdict_text(point()) == "pass"
    assert words.verdict_text(replace(failed(point()), outcome="failed")) == "REGRESSION"
    assert words.verdict_text(replace(point(), outcome="failed")) == "pass, test failed"
    assert words.verdict_text(point(verdict=None)) == "in the baseline"
    assert words.verdict_text(point(None, verdict=Verdict.UNMEASURED)) == "unmeasured"


def test_a_value_has_its_unit() -> None:
    """Joules with their uncertainty; what all tests share as a change."""
    track, _ = stepped()
    assert words.value(track, 12.3456, 0.2349) == "12.35 +- 0.23 J"
    assert words.value(track, None) == "-"
    assert words.value(replace(track, kind="ratio"), 1.016) == "+1.6 %"
    assert words.name(replace(track, test_id="")) == "all tests together"
