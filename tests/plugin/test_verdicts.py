"""Budgets and baselines, from the option to the exit code."""

import pytest

from tests.plugin.conftest import Project

NOISE = (0.99, 1.0, 1.01, 0.995, 1.005)


def rounds(energy_j: float) -> list[float]:
    return [energy_j * factor for factor in NOISE]


MEASURED = """
@pytest.mark.energy({arguments})
def test_work(energy):
    assert energy.measure(sum, [1, 2]) == 3
"""


def test_a_budget_that_holds_passes(project: Project) -> None:
    """A test whose joules are surely below its budget passes."""
    project.write(MEASURED.format(arguments="budget_j=12"))
    project.replay({"test_work": rounds(10)})
    run = project.run()
    assert run.result.ret == 0
    assert run.verdict() == "pass"
    assert run.test()["energy_j"] == pytest.approx(10, rel=1e-9)
    assert run.test()["budget_j"] == 12


def test_a_budget_that_is_exceeded_fails_with_joules_and_budget(project: Project) -> None:
    """A test over its budget fails, and the message says what it used and what it may use."""
    project.write(MEASURED.format(arguments="budget_j=8"))
    project.replay({"test_work": rounds(10)})
    run = project.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.verdict() == "over-budget"
    assert " % of the budget: " in run.text
    assert run.test()["energy_j"] == pytest.approx(10, rel=1e-9)
    assert run.test()["budget_j"] == 8
    assert "Traceback" not in run.text


def test_a_budget_a_sample_divides_by_the_samples(project: Project) -> None:
    """10 J for 4 samples are 2.5 J each: over a budget of 2, within one of 3."""
    project.replay({"test_work": rounds(10)})
    project.write(MEASURED.format(arguments="budget_per_sample_j=2, samples=4"))
    assert project.run().verdict() == "over-budget"
    project.write(MEASURED.format(arguments="budget_per_sample_j=3, samples=4"))
    run = project.run()
    assert run.verdict() == "pass"
    assert run.test()["energy_per_sample_j"] == pytest.approx(2.5)


def test_a_budget_a_token_without_tokens_is_an_error(project: Project) -> None:
    """Nor because no engine counted tokens, on a machine that measures nothing either."""
    project.write(MEASURED.format(arguments="budget_per_token_j=2"))
    project.replay({"test_work": rounds(10)})
    run = project.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert "Measure the load with energy.requests" in run.text


def test_a_budget_a_sample_without_samples_is_an_error(project: Project) -> None:
    """A limit for each sample can't be silently skipped because nobody said how many samples there are."""
    project.write(MEASURED.format(arguments="budget_per_sample_j=2"))
    project.replay({"test_work": rounds(10)})
    run = project.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert "needs the number of samples in a round" in run.text


def test_the_first_run_has_no_baseline(project: Project) -> None:
    """Without baseline and budget there is nothing to judge; that is a verdict, not a failure."""
    project.replay({"test_work": rounds(10)})
    project.write(MEASURED.format(arguments=""))
    run = project.run("--energy-report")
    assert run.result.ret == 0
    assert run.verdict() == "no-baseline"
    assert project.baseline_paths == []


def test_add_writes_one_file_and_the_next_run_is_compared(project: Project) -> None:
    """An added session is what the next run is held against."""
    project.write(MEASURED.format(arguments=""))
    project.replay({"test_work": rounds(10)})
    added = project.run("--energy-baseline=add")
    assert added.result.ret == 0
    assert [str(path.relative_to(project.path)) for path in project.baseline_paths] == [
        "baselines/replay/test_work.py/test_work.json"
    ]
    assert "1 baseline(s) added to" in added.text
    run = project.run()
    assert run.verdict() == "pass"
    assert run.test()["baseline"]["sessions"] == 1
    assert run.test()["baseline"]["ratio"] == pytest.approx(1.0)


def test_a_regression_fails_with_its_ratio_and_cause(project: Project) -> None:
    """30 % more joules at equal seconds: the test fails, exit 1, and power is named as the cause."""
    project.write(MEASURED.format(arguments=""))
    project.replay({"test_work": rounds(10)})
    project.run("--energy-baseline=add")
    project.replay({"test_work": rounds(13)})
    run = project.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.verdict() == "regression"
    assert run.test()["baseline"]["ratio"] == pytest.approx(1.3)
    assert run.test()["baseline"]["power_ratio"] == pytest.approx(1.3)
    assert run.test()["baseline"]["duration_ratio"] == pytest.approx(1.0)
    assert run.test()["reason"].splitlines()[0] in run.text


def test_a_regression_is_never_added(project: Project) -> None:
    """`add` adds what passed; a regression stays out and the file stays as it was."""
    project.write(MEASURED.format(arguments=""))
    project.replay({"test_work": rounds(10)})
    project.run("--energy-baseline=add")
    before = project.baseline_paths[0].read_bytes()
    project.replay({"test_work": rounds(13)})
    run = project.run("--energy-baseline=add")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert "no baseline written for test_work.py::test_work" in run.text
    assert project.baseline_paths[0].read_bytes() == before


def test_replace_accepts_the_new_level_and_does_not_fail(project: Project) -> None:
    """A refresh says what changed, passes, and the next run is held against the new level."""
    project.write(MEASURED.format(arguments=""))
    project.replay({"test_work": rounds(10)})
    project.run("--energy-baseline=add")
    project.replay({"test_work": rounds(13)})
    refreshed = project.run("--energy-baseline=replace")
    assert refreshed.result.ret == 0
    assert refreshed.verdict() == "regression"
    run = project.run()
    assert run.verdict() == "pass"
    assert run.test()["baseline"]["energy_j"] == pytest.approx(13, rel=1e-3)


def test_a_test_that_failed_is_never_stored(project: Project) -> None:
    """Joules of a test over its budget don't become its baseline."""
    project.write(MEASURED.format(arguments="budget_j=8"))
    project.replay({"test_work": rounds(10)})
    run = project.run("--energy-baseline=replace")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.baseline_paths == []
    assert "did not pass" in run.text


def test_off_looks_at_no_baseline(project: Project) -> None:
    """With baselines off a broken baseline is not even read."""
    project.write(MEASURED.format(arguments=""))
    project.replay({"test_work": rounds(10)})
    project.run("--energy-baseline=add")
    project.baseline_paths[0].write_text("{", encoding="utf-8")
    run = project.run("--energy-baseline=off", "--energy-strict")
    assert run.result.ret == 0
    assert run.verdict() == "no-baseline"


def test_strict_fails_what_can_not_be_judged(project: Project) -> None:
    """Under strict a test without baseline or budget fails."""
    project.write(MEASURED.format(arguments=""))
    project.replay({"test_work": rounds(10)})
    assert project.run("--energy-strict").result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_test_the_replay_does_not_name_is_unmeasured(project: Project) -> None:
    """A replay that says nothing of a test measures nothing; nothing is invented."""
    project.write(MEASURED.format(arguments="budget_j=5"))
    project.replay({"test_other": rounds(10)})
    run = project.run()
    assert run.result.ret == 0
    assert run.verdict() == "unmeasured"
    assert run.test()["energy_j"] is None
    assert project.run("--energy-strict").result.ret == pytest.ExitCode.TESTS_FAILED


def test_an_estimate_is_never_judged_unless_asked(project: Project) -> None:
    """On a machine without sensors a budget is neither kept nor broken: unmeasured."""
    work = MEASURED.replace("sum, [1, 2]) == 3", "sum, range(10**7)) > 0")
    project.write(work.format(arguments="budget_j=1e-9, rounds=1, warmup=0"))
    run = project.run("--energy-sensors=estimate")
    assert run.result.ret == 0
    assert run.verdict() == "unmeasured"
    assert run.test()["provenance"] == "estimated"
    assert project.run("--energy-sensors=estimate", "--energy-strict").result.ret == 1
    gated = project.run("--energy-sensors=estimate", "--energy-estimates=gate")
    assert gated.verdict() == "over-budget"


def test_tolerance_of_the_marker_wins(project: Project) -> None:
    """A test that may rise by half passes at +30 %."""
    project.write(MEASURED.format(arguments="tolerance=0.5"))
    project.replay({"test_work": rounds(10)})
    project.run("--energy-baseline=add")
    project.replay({"test_work": rounds(13)})
    assert project.run().verdict() == "pass"


def test_a_hook_may_change_the_verdict(project: Project) -> None:
    """Another plugin's word on a verdict is the last."""
    project.write(MEASURED.format(arguments="budget_j=8"))
    project.replay({"test_work": rounds(10)})
    (project.path / "conftest.py").write_text(
        "from dataclasses import replace\n"
        "from pytest_energy import Verdict\n"
        "def pytest_energy_verdict(judgement):\n"
        "    return replace(judgement, verdict=Verdict.PASS, reason='tolerated')\n",
        encoding="utf-8",
    )
    run = project.run()
    assert run.result.ret == 0
    assert (run.verdict(), run.test()["reason"]) == ("pass", "tolerated")


def with_sessions(project: Project, *levels_j: float) -> None:
    """Store a session at each level for the marked tests of the project."""
    for level_j in levels_j:
        project.replay({"test_work": rounds(level_j)})
        assert project.run("--energy-baseline=add").result.ret == 0


def test_a_regression_is_confirmed_by_a_second_batch(project: Project) -> None:
    """Rounds that look like a regression are taken again before the test fails, and the reason notes it."""
    project.write(MEASURED.format(arguments="rounds=5"))
    with_sessions(project, 10.0, 10.0)
    project.replay({"test_work": [*rounds(12), *rounds(12.1)]})
    run = project.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.verdict() == "regression"
    assert len(run.test()["rounds"]) == 10
    assert run.test()["confirming_count"] == 5
    assert run.test()["baseline"]["note"] in run.test()["reason"]


def test_a_rise_that_a_second_batch_does_not_show_fails_nothing(project: Project) -> None:
    """A first batch 9 % up and a second one 1 % up: the run can't tell, and passes."""
    project.write(MEASURED.format(arguments="rounds=5"))
    with_sessions(project, *[10.0] * 5)
    project.replay({"test_work": [*rounds(10.9), *rounds(10.1)]})
    run = project.run()
    assert run.result.ret == 0
    assert run.verdict() in {"pass", "inconclusive"}
    assert len(run.test()["rounds"]) == 10


def test_joules_a_sample_are_compared_where_the_marker_says_so(project: Project) -> None:
    """Twice the samples in a round, twice the joules: no change a sample."""
    project.write(MEASURED.format(arguments="samples=4, per='sample'"))
    with_sessions(project, 10.0)
    project.write(MEASURED.format(arguments="samples=8, per='sample'"))
    project.replay({"test_work": rounds(20)})
    run = project.run()
    assert run.verdict() == "pass"
    assert run.test()["baseline"]["basis"] == "joules a sample"


@pytest.mark.parametrize(
    ("argument", "said"), [("basis='nett'", "gross, net or counts"), ("per='image'", "round or sample")]
)
def test_an_unknown_basis_is_an_error_at_collection(project: Project, argument: str, said: str) -> None:
    """A misspelt basis stops the run with what it may be."""
    project.write(MEASURED.format(arguments=argument))
    project.replay({"test_work": rounds(10)})
    run = project.run()
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in run.text


def test_creep_is_noted_in_the_summary(project: Project) -> None:
    """Sessions that rise by 1 % a run are each within the tolerance of the last; the summary warns."""
    project.write(MEASURED.format(arguments="tolerance=0.2"))
    with_sessions(project, *(10.0 * 1.01**run for run in range(8)))
    project.replay({"test_work": rounds(10.9)})
    run = project.run()
    assert run.result.ret == 0
    assert "energy: note: " in run.text
    assert run.test()["baseline"]["creep"] in " ".join(run.text.split())


def test_a_baseline_that_goes_while_the_run_lasts_is_held_against(project: Project) -> None:
    """The gate doesn't open because a file was deleted between collection and verdict: it was read before."""
    project.write(MEASURED.format(arguments=""))
    with_sessions(project, 10.0)
    path = str(project.baseline_paths[0])
    body = f"    os.remove({path!r})\n    energy.measure(sum, [1, 2])\n"
    project.write(f"import os\n@pytest.mark.energy()\ndef test_work(energy):\n{body}")
    project.replay({"test_work": rounds(20)})
    run = project.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.test()["verdict"] == "regression"
