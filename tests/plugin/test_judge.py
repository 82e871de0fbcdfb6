"""`pytest-energy judge` on runs of pytest: what they said of each test, and their exit status, come again."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.cli import main
from tests.plugin.conftest import TEST_FILE, Baselines, Project, Run, fill_baselines
from tests.unit.ab.test_worktree import git

NOISE = (0.99, 1.0, 1.01, 0.995, 1.005)
BATCHES = 2  # what is suspicious runs once more
NAMES = [f"test_work[{number}]" for number in range(8)]

SUITE = """
@pytest.mark.parametrize("number", range({count}))
@pytest.mark.energy({arguments})
def test_work(energy, number):
    energy.measure(sum, [1, 2], samples=4)
"""

IDLE = """
def pytest_configure(config):
    from pytest_energy.meter.replay import ReplayMeter
    patch = pytest.MonkeyPatch()
    patch.setattr(ReplayMeter, "idle_power_w", lambda self: {"gpu:0": 3.0})
    config.add_cleanup(patch.undo)
"""


def write_suite(project: Project, arguments: str = "") -> None:
    project.write(SUITE.format(count=len(NAMES), arguments=arguments))


def joules(level_j: float, number: int, session: int) -> list[float]:
    """Rounds of one test, for as often as it may run; sessions and tests differ by some 0.2 %."""
    own = 1 + 0.002 * ((number * 7 + session * 3) % 5 - 2)
    return [level_j * own * factor for factor in NOISE] * BATCHES


def replay(project: Project, session: int, factors: Mapping[int, float] | float = 1.0) -> None:
    """A session in which test number n uses its usual joules times *factors*."""
    of = factors if isinstance(factors, Mapping) else dict.fromkeys(range(len(NAMES)), factors)
    project.replay(
        {name: joules((10 + n) * of.get(n, 1.0), n, session) for n, name in enumerate(NAMES)}, duration_s=1.0
    )


def ticked(active_w: float, duration_s: float, ready_w: float = 120.0) -> dict[str, Any]:
    """A round by its ticks: ready power around the work, and *active_w* more while it lasts."""
    start_s = 2.03  # between two ticks
    times_s = [number / 10 for number in range(int(10 * (start_s + duration_s)) + 11)]
    works_s = (min(max(time_s - start_s, 0.0), duration_s) for time_s in times_s)
    pairs = [
        (time_s, ready_w * time_s + active_w * work_s)
        for time_s, work_s in zip(times_s, works_s, strict=True)
    ]
    return {
        "ticks": {"gpu:0": pairs},
        "start_s": start_s,
        "stop_s": start_s + duration_s,
        "quiet_s": [[0.0, start_s]],
    }


def replay_ticks(project: Project, session: int, works: Mapping[int, float]) -> None:
    """The same by ticks, so that joules have parts: the work of test number n is *works* of its usual one."""
    tests = {
        f"{TEST_FILE}::{name}": {
            "rounds": [
                ticked((200 + 20 * n) * works.get(n, 1.0) * (1 + 0.001 * ((session + n + k) % 3 - 1)), 2.0)
                for k in range(len(NOISE) * BATCHES)
            ]
        }
        for n, name in enumerate(NAMES)
    }
    text = json.dumps({"format": 1, "tests": tests})
    (project.path / "replay.json").write_text(text, encoding="utf-8")


def with_baselines(project: Project, *, session_count: int = 3, ticks: bool = False) -> None:
    """Baselines of some sessions."""
    for session in range(session_count):
        if ticks:
            replay_ticks(project, session, {})
        else:
            replay(project, session)
        run = project.run("--energy-baseline=add")
        assert run.result.ret == 0, run.text


def judged(project: Project, *options: str, baselines: str = "baselines") -> tuple[int, dict[str, Any]]:
    """Exit status and document of `pytest-energy judge out.json`."""
    out = project.path / "judged.json"
    words = ["judge", str(project.path / "out.json"), f"--out={out}", *options]
    status = main([*words, f"--baselines={project.path / baselines}"])
    document: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return status, document


def same_again(project: Project, run: Run, *options: str, baselines: str = "baselines") -> dict[str, Any]:
    """Check that *run* is judged as it was; what was said of it."""
    status, document = judged(project, *options, baselines=baselines)
    assert run.document is not None, run.text
    assert status == run.result.ret, run.text
    assert document["run_judgement"] == run.document["run_judgement"]
    assert document["tests"] == run.document["tests"]
    return run.document


def verdicts(document: Mapping[str, Any]) -> list[str]:
    return [test["verdict"] for test in document["tests"]]


def change(project: Project, factors: Mapping[int, float] | float, *options: str, **how: bool) -> Run:
    replay(project, 9, factors)
    return project.run(*options, **how)


@pytest.fixture
def suite(project: Project, kept_baselines: Baselines) -> Project:
    """Eight tests with baselines of three sessions."""
    write_suite(project)
    fill_baselines(project, kept_baselines, "eight", lambda: with_baselines(project))
    return project


def test_an_unchanged_suite_passes_again(suite: Project) -> None:
    """Every verdict, bound and sentence of a run that passes comes out of its rounds once more."""
    document = same_again(suite, change(suite, 1.0))
    assert set(verdicts(document)) == {"pass"}
    assert document["run_judgement"]["baseline_mode"] == "check"


def test_a_confirmed_regression_comes_again(suite: Project) -> None:
    """Both batches are in the run's JSON, so what confirmed a regression confirms it once more."""
    document = same_again(suite, change(suite, {2: 1.25}))
    assert verdicts(document).count("regression") == 1
    assert document["tests"][2]["confirming_count"] > 1


def test_a_rise_of_all_tests_fails_the_run_again(suite: Project) -> None:
    """A factor that all tests share is one failure of the run, which no verdict of a test holds."""
    run = change(suite, 1.12)
    document = same_again(suite, run)
    assert "regression" not in verdicts(document)
    (factor,) = document["run_judgement"]["factors"]
    assert factor["ratio"] == pytest.approx(1.12, abs=0.01)
    assert factor["test_count"] == len(NAMES)
    assert len(document["run_judgement"]["failures"]) == 1
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED


def test_what_strict_failed_fails_again(suite: Project) -> None:
    """The run's JSON says that it was strict; without that the same doubt would fail nothing."""
    run = change(suite, {4: 1.05}, "--energy-strict")
    document = same_again(suite, run)
    assert "inconclusive" in verdicts(document)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run = change(suite, {4: 1.05})
    assert same_again(suite, run)["run_judgement"]["is_strict"] is False
    assert run.result.ret == 0
    assert judged(suite, "--strict")[0] == 1


def test_every_process_is_judged_by_itself(suite: Project) -> None:
    """Under `-n2` each worker has judged its own tests together, and their records name it."""
    pytest.importorskip("xdist")
    run = change(suite, {1: 1.25, 6: 1.05}, "-n2", subprocess=True)
    document = same_again(suite, run)
    assert len({test["session"] for test in document["tests"]}) == 2


def test_a_rise_of_all_tests_in_two_processes(suite: Project) -> None:
    """Each process has a factor of its own where it has tests enough to tell one."""
    pytest.importorskip("xdist")
    suite.write(SUITE.format(count=len(NAMES), arguments=""), "test_more.py")
    document = same_again(suite, change(suite, 1.12, "-n2", "--dist=loadfile", subprocess=True))
    assert len(document["run_judgement"]["factors"]) == 1
    assert document["run_judgement"]["factors"][0]["session"] in {t["session"] for t in document["tests"]}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("basis='net'", {"pass"}),
        ("per='sample'", {"pass"}),
        ("basis='net', per='sample', tolerance=0.001", {"inconclusive"}),
        ("budget_j=14.5", {"pass", "over-budget"}),
        ("budget_per_sample_j=3", {"pass", "inconclusive", "over-budget"}),
        ("parts=['joules'], tolerance=0.2", {"pass"}),
    ],
)
def test_what_a_marker_asks_for_is_asked_again(
    project: Project, kept_baselines: Baselines, arguments: str, wanted: set[str]
) -> None:
    """Basis, unit, tolerance, parts and budgets of each test are in the run's JSON."""
    project.write(IDLE, "conftest.py")
    write_suite(project)
    fill_baselines(project, kept_baselines, "eight with idle power", lambda: with_baselines(project))
    write_suite(project, arguments)
    assert wanted == set(verdicts(same_again(project, change(project, 1.0))))


@pytest.mark.parametrize("option", ["--energy-tolerance=0.01", "--energy-alpha=0.2", "--energy-parts=joules"])
def test_what_the_run_was_told_is_asked_again(suite: Project, option: str) -> None:
    """So are the options that hold for all tests."""
    same_again(suite, change(suite, {3: 1.04}, option))


def test_work_and_waiting_come_again(project: Project) -> None:
    """Ready power is of all rounds of the process, and the parts of each test rest on it."""
    write_suite(project)
    with_baselines(project, ticks=True)
    replay_ticks(project, 9, {5: 1.2})
    document = same_again(project, project.run())
    assert verdicts(document).count("regression") == 1
    parts = {part["part"]: part["verdict"] for part in document["tests"][5]["baseline"]["parts"]}
    assert parts == {"work": "regression", "waiting": "pass"}


def test_a_run_that_joined_is_judged_by_what_was_before(suite: Project) -> None:
    """`--energy-baseline=add` has put the run beside its baselines; it doesn't judge itself."""
    run = change(suite, 1.0, "--energy-baseline=add")
    document = same_again(suite, run)
    assert {test["baseline"]["sessions"] for test in document["tests"]} == {3}
    notes = judged(suite)[1]["run_notes"]
    assert any(note.startswith("8 baselines had this run already") for note in notes)


def test_the_first_run_that_joined_had_no_baseline(project: Project) -> None:
    """A baseline that holds nothing but the run itself was not there."""
    write_suite(project)
    replay(project, 0)
    assert set(verdicts(same_again(project, project.run("--energy-baseline=add")))) == {"no-baseline"}


def test_what_a_replacement_answers_fails_nothing(suite: Project) -> None:
    """A regression whose run replaced the baseline failed nothing, and doesn't here."""
    shutil.copytree(suite.path / "baselines", suite.path / "before")
    run = change(suite, {2: 1.25}, "--energy-baseline=replace")
    document = same_again(suite, run, baselines="before")
    assert "regression" in verdicts(document)
    assert run.result.ret == 0


def test_a_run_that_looked_at_no_baselines(suite: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has none here either; where a folder is named it is held against that."""
    run = change(suite, {2: 1.25}, "--energy-baseline=off", "--energy-strict")
    monkeypatch.chdir(suite.path)
    out = suite.path / "judged.json"
    assert main(["judge", "out.json", f"--out={out}"]) == run.result.ret == 0
    assert run.document is not None
    assert json.loads(out.read_text(encoding="utf-8"))["tests"] == run.document["tests"]
    status, document = judged(suite)
    assert (status, document["run_judgement"]["baseline_mode"]) == (1, "check")
    assert document["tests"][2]["verdict"] == "regression"


def test_a_test_that_is_expected_to_fail_fails_no_run(suite: Project) -> None:
    """Its regression is no failure of the run, and is none here."""
    source = SUITE.format(count=len(NAMES), arguments="")
    suite.write(source.replace("@pytest.mark.energy", "@pytest.mark.xfail\n@pytest.mark.energy"))
    run = change(suite, {7: 1.3})
    assert run.document is not None
    status, document = judged(suite)
    assert (status, run.result.ret) == (0, 0)
    assert document["tests"][7]["verdict"] == run.document["tests"][7]["verdict"] == "regression"
    assert document["tests"][7]["outcome"] == run.document["tests"][7]["outcome"] == "skipped"


def test_a_history_is_played(project: Project, tmp_path: Path) -> None:
    """With --accept each run is judged by those before it, and the folder stays as it was."""
    write_suite(project)
    runs = keep_runs(project, tmp_path, [1.0, 1.0, 1.0, {2: 1.25}])
    out = [tmp_path / f"{place}.json" for place in range(len(runs))]
    for place in range(len(runs)):
        folder = tmp_path / f"baselines-{place}"
        for earlier in runs[:place]:
            assert main(["judge", str(earlier), "--accept", "--write", f"--baselines={folder}"]) == 0
        words = ["judge", str(runs[place]), f"--out={out[place]}", f"--baselines={folder}"]
        assert main(words) == (1 if place == 3 else 0)
    played = tmp_path / "played"
    assert main(["judge", *map(str, runs), "--accept", f"--baselines={played}"]) == 1
    assert not played.exists()
    last = json.loads(out[3].read_text(encoding="utf-8"))
    assert verdicts(last).count("regression") == 1
    assert {test["baseline"]["sessions"] for test in last["tests"]} == {3}


def keep_runs(project: Project, folder: Path, changes: Sequence[Mapping[int, float] | float]) -> list[Path]:
    """Runs that looked at no baselines."""
    paths = []
    for place, factors in enumerate(changes):
        replay(project, place, factors)
        # Twice the rounds of a batch: what was not judged was not confirmed.
        assert project.run("--energy-baseline=off", "--energy-rounds=10").result.ret == 0
        paths.append(folder / f"run-{place}.json")
        shutil.copy(project.path / "out.json", paths[-1])
    return paths


def test_attempts_at_one_commit_are_judged_together_again(suite: Project) -> None:
    """With the folder of the tries before it a run is judged by the mean of all; without it by itself."""
    git(suite.path, "init", "-q", "-b", "main")
    (suite.path / ".gitignore").write_text("*\n!test_work.py\n")
    git(suite.path, "add", "test_work.py")
    git(suite.path, "commit", "-qm", "work")
    change(suite, {2: 1.25}, "--energy-attempts=tries")
    run = change(suite, 1.0, "--energy-attempts=tries")
    document = same_again(suite, run, f"--attempts={suite.path / 'tries'}")
    ratio = document["tests"][2]["baseline"]["ratio"]
    assert ratio == pytest.approx(1.25**0.5, rel=0.01)
    _, alone = judged(suite)
    assert alone["tests"][2]["baseline"]["ratio"] == pytest.approx(1.0, rel=0.01)
