"""The end of a run: a suspect runs once more after all other tests, and every test counts once."""

import sys
import xml.etree.ElementTree as ET

import pytest

from tests.plugin.conftest import TWO_TESTS as TESTS
from tests.plugin.conftest import Project, junit, order, rounds, suspicious

NUMBER_FIRST = "FAILED test_work.py::test_work - +2"
"""Of pytest's short summary: no type of an exception and no verdict in front."""


def test_a_suspect_that_is_not_confirmed_passes_and_counts_once(gated: Project) -> None:
    """A rise that the second run doesn't show fails nothing; all is counted as if the test had run once."""
    run = suspicious(gated, "--junitxml=junit.xml", "-rA", second_j=10)
    assert run.result.ret == 0
    run.result.assert_outcomes(passed=3)
    assert run.verdict() in {"pass", "inconclusive"}
    assert (len(run.test()["rounds"]), run.test()["confirming_count"]) == (10, 5)
    assert sum(line.startswith("PASSED test_work.py::test_work") for line in run.result.outlines) == 1
    assert junit(gated.path / "junit.xml") == {
        "test_work": ["properties"],
        "test_other": ["properties"],
        "test_plain": [],
    }


def test_a_suspect_that_is_confirmed_fails_once(gated: Project) -> None:
    """A rise that both runs show is one failure: of the run, in JUnit XML, for `--lf`."""
    run = suspicious(gated, "--junitxml=junit.xml", second_j=12.1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(passed=2, failed=1)
    assert run.verdict() == "regression"
    assert (len(run.test()["rounds"]), run.test()["confirming_count"]) == (10, 5)
    assert run.test()["outcome"] == "failed"
    assert "confirmed by a second batch of 5 rounds" in run.test()["reason"]
    assert any(line.startswith(NUMBER_FIRST) for line in run.result.outlines)
    cases = junit(gated.path / "junit.xml")
    assert sorted(cases["test_work"]) == ["failure", "properties"]
    again = suspicious(gated, "--lf", second_j=12.1)
    again.result.assert_outcomes(failed=1)


def test_a_suspect_runs_once_more_after_all_others(gated: Project) -> None:
    """What disturbed its first run is hardly there any more when all other tests have run."""
    suspicious(gated, second_j=12.1)
    assert order(gated) == ["work", "other", "plain", "work"]


def test_the_tests_keep_their_order_in_what_is_written(gated: Project) -> None:
    """A test that runs once more stays where collection has put it."""
    run = suspicious(gated, second_j=12.1)
    assert run.document is not None
    names = [test["id"].rpartition("::")[2] for test in run.document["tests"]]
    assert names == ["test_work", "test_other"]


@pytest.mark.parametrize("option", ["-x", "--maxfail=2", "--stepwise"])
def test_who_stops_at_failures_is_told_at_once(gated: Project, option: str) -> None:
    """Then the second batch follows the first, and the failure comes before the next test."""
    run = suspicious(gated, option, second_j=12.1)
    assert (len(run.test()["rounds"]), run.test()["confirming_count"]) == (10, 5)
    assert order(gated)[:2] == (["work"] if option != "--maxfail=2" else ["work", "other"])
    assert order(gated).count("work") == 1
    assert run.result.parseoutcomes()["failed"] == 1
    assert any(line.startswith(NUMBER_FIRST) for line in run.result.outlines)


def test_an_expected_failure_is_told_at_once(gated: Project) -> None:
    """A test that is expected to fail is confirmed at once, and expected it stays."""
    gated.write(TESTS.replace("@pytest.mark", "@pytest.mark.xfail\n@pytest.mark", 1))
    run = suspicious(gated, second_j=12.1)
    run.result.assert_outcomes(passed=2, xfailed=1)
    assert (run.verdict(), run.test()["confirming_count"]) == ("regression", 5)
    assert order(gated) == ["work", "other", "plain"]


def test_a_test_that_expects_to_fail_when_it_runs(gated: Project) -> None:
    """A marker that the test gives itself is as good as one that it has."""
    mark = "request.node.add_marker('xfail')"
    gated.write(TESTS.replace("test_work(energy):", f"test_work(energy, request):\n    {mark}"))
    run = suspicious(gated, second_j=12.1)
    run.result.assert_outcomes(passed=2, xfailed=1)
    assert run.verdict() == "regression"


REPEATING = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if all(report.passed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


def test_a_plugin_that_repeats_failures_is_told_at_once(gated: Project) -> None:
    """It sees the failure, repeats the test, and the last of its runs counts."""
    gated.write(REPEATING, "conftest.py")
    gated.replay(
        {"test_work": [*rounds(12), *rounds(12), *rounds(10)], "test_other": rounds(10)},
    )
    run = gated.run()
    assert run.result.ret == 0
    assert order(gated) == ["work", "work", "other", "plain"]
    assert (run.verdict(), len(run.test()["rounds"])) == ("pass", 5)


@pytest.mark.parametrize(("count", "runs"), [("None", 2), ("0", 1), ("1", 1)])
def test_pytest_rerunfailures_may_be_there(gated: Project, count: str, runs: int) -> None:
    """It is often installed and asked for nothing; what it would repeat (here: *count* times) is its own."""
    gated.write(
        f"def get_reruns_count(item):\n    return {count}\n\ndef pytest_runtest_protocol(item):\n    pass\n",
        "pytest_rerunfailures.py",
    )
    run = suspicious(gated, "-p", "pytest_rerunfailures", second_j=12.1, subprocess=True)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert order(gated).count("work") == runs
    assert run.test()["confirming_count"] == 5


def test_what_plugins_put_around_a_test_is_around_its_second_run(gated: Project) -> None:
    """A timeout, filters of warnings: whatever wraps the protocol of an item."""
    gated.write(
        "@pytest.hookimpl(wrapper=True)\n"
        "def pytest_runtest_protocol(item):\n"
        "    with open('around', 'a') as file:\n"
        "        print(item.name, file=file)\n"
        "    return (yield)\n",
        "conftest.py",
    )
    suspicious(gated, second_j=12.1)
    around = (gated.path / "around").read_text(encoding="utf-8").split()
    assert around == ["test_work", "test_other", "test_plain", "test_work"]


@pytest.mark.parametrize(("second_j", "failed"), [(10.0, 0), (12.1, 1)])
def test_workers_confirm_at_their_end(gated: Project, second_j: float, failed: int) -> None:
    """Under `-n2` the worker runs its suspects once more, and the controller counts them once."""
    run = suspicious(gated, "-n2", "--junitxml=junit.xml", second_j=second_j, subprocess=True)
    assert run.result.ret == failed
    assert run.result.parseoutcomes().get("failed", 0) == failed
    assert run.result.parseoutcomes()["passed"] == 3 - failed
    assert order(gated).count("work") == 2
    assert (len(run.test()["rounds"]), run.test()["confirming_count"]) == (10, 5)
    assert ("failure" in junit(gated.path / "junit.xml")["test_work"]) is bool(failed)
    assert any(line.startswith(NUMBER_FIRST) for line in run.result.outlines) is bool(failed)
    assert run.document is not None
    assert [test["id"].rpartition("::")[2] for test in run.document["tests"]] == ["test_work", "test_other"]


def test_an_interrupted_run_loses_nothing(gated: Project) -> None:
    """A suspect that waits when somebody stops the run is logged as it is: unconfirmed, and failed."""
    gated.write(TESTS + "\ndef test_stop():\n    raise KeyboardInterrupt\n")
    run = suspicious(gated, second_j=10, subprocess=True)
    assert run.result.ret == pytest.ExitCode.INTERRUPTED
    run.result.assert_outcomes(passed=2, failed=1)
    assert run.verdict() == "regression"
    assert len(run.test()["rounds"]) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_sigterm_loses_nothing(gated: Project) -> None:
    """What a time limit stops is written as after Ctrl-C; a handler of the suite stays its own."""
    stop = "\ndef test_stop():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    gated.write(TESTS + stop)
    run = suspicious(gated, second_j=10, subprocess=True)
    assert run.result.ret == pytest.ExitCode.INTERRUPTED
    run.result.assert_outcomes(passed=2, failed=1)
    assert run.verdict() == "regression"


def test_an_interrupt_of_the_second_run_loses_nothing(gated: Project) -> None:
    """The same where it comes while the suspect runs once more."""
    stop = 'if Path("order").read_text().count("work") == 2:\n        raise KeyboardInterrupt\n    '
    gated.write(TESTS.replace('    work("work")\n    ', f'    work("work")\n    {stop}'))
    run = suspicious(gated, second_j=10, subprocess=True)
    assert run.result.ret == pytest.ExitCode.INTERRUPTED
    run.result.assert_outcomes(passed=2, failed=1)
    assert run.verdict() == "regression"


def test_an_interrupt_of_a_suspects_own_end_loses_nothing(gated: Project) -> None:
    """The test that is under way has measured: it is logged with the verdict that it has by then."""
    end = "    yield\n    raise KeyboardInterrupt\n\n"
    stop = f"@pytest.fixture\ndef stopping():\n{end}"
    gated.write(TESTS.replace("test_work(energy)", "test_work(energy, stopping)") + stop)
    run = suspicious(gated, second_j=10, subprocess=True)
    assert run.result.ret == pytest.ExitCode.INTERRUPTED
    run.result.assert_outcomes(failed=1)
    assert (run.verdict(), run.test()["outcome"]) == ("regression", "failed")


def test_a_worker_that_dies_loses_nothing(gated: Project) -> None:
    """What waited in a worker that crashed is logged by the controller."""
    gated.write(TESTS + "\ndef test_die():\n    import os, time\n    time.sleep(0.2)\n    os._exit(1)\n")
    run = suspicious(gated, "-n1", "--max-worker-restart=0", second_j=10, subprocess=True)
    assert run.result.parseoutcomes() == {"failed": 2, "passed": 2}
    assert run.verdict() == "regression"


def test_a_second_run_that_does_not_pass_confirms_nothing(gated: Project) -> None:
    """A test that can't run twice is judged by its first run, and the report shows what happened."""
    once = 'assert not Path("ran").exists(), "it ran before"\n    Path("ran").touch()\n    '
    gated.write(TESTS.replace('    work("work")\n    ', f'    work("work")\n    {once}'))
    run = suspicious(gated, second_j=10)
    run.result.assert_outcomes(passed=2, failed=1)
    assert (run.verdict(), len(run.test()["rounds"])) == ("regression", 5)
    assert "the second run, which should confirm it, did not pass" in run.text
    assert "it ran before" in run.text


def test_a_marked_test_without_the_fixture_runs_once_more(project: Project) -> None:
    """The one round of a test that is measured whole is confirmed by another."""
    project.write("@pytest.mark.energy\ndef test_work():\n    pass\n")
    for _ in range(5):
        project.replay({"test_work": [10.0]})
        project.run("--energy-baseline=add")
    project.replay({"test_work": [14.0, 10.0]})
    run = project.run()
    assert (run.result.ret, len(run.test()["rounds"]), run.test()["confirming_count"]) == (0, 2, 1)


WINDOWS = """
@pytest.mark.energy
def test_work(energy):
    for _ in range(2):
        with energy.window("part"):
            pass
"""


@pytest.mark.parametrize(
    ("second_j", "round_count", "status"),
    [([10.0, 10.0], 4, 0), ([14.0, 14.1], 4, 1), ([10.0], 2, 1), ([], 2, 1)],
)
def test_windows_are_confirmed_by_as_many(
    project: Project, second_j: list[float], round_count: int, status: int
) -> None:
    """A test that opens its own windows runs once more, if a replay has joules for all of them."""
    project.write(WINDOWS)
    for level_j in (10.0, 10.1, 9.9, 10.0, 10.0):
        project.replay({"test_work": [level_j, level_j]})
        assert project.run("--energy-baseline=add").result.ret == 0
    project.replay({"test_work": [14.0, 14.1, *second_j]})
    run = project.run()
    assert (len(run.test()["rounds"]), run.result.ret) == (round_count, status)


@pytest.mark.parametrize(("left", "round_count"), [(0, 5), (1, 5), (2, 7), (9, 10)])
def test_a_replay_gives_the_rounds_that_it_has(gated: Project, left: int, round_count: int) -> None:
    """One round confirms little, so that a second run needs two at least, and takes as many as the first."""
    gated.replay({"test_work": [*rounds(12), *([12.0] * left)], "test_other": rounds(10)})
    run = gated.run()
    run.result.assert_outcomes(passed=2, failed=1)
    assert len(run.test()["rounds"]) == round_count


FIXTURES = """
@pytest.fixture(scope="session")
def server():
    work("up")
    yield
    work("down")

"""


def test_fixtures_last_until_the_suspects_have_run(gated: Project) -> None:
    """What all tests share is not set up again for a second run, and ends after it."""
    tests = TESTS.replace("(energy)", "(energy, server)").replace("test_plain()", "test_plain(server)")
    gated.write(tests.replace("@pytest.mark", FIXTURES + "@pytest.mark", 1))
    suspicious(gated, second_j=10)
    assert order(gated) == ["up", "work", "other", "plain", "work", "down"]


def test_a_fixture_that_fails_at_its_end_is_an_error(gated: Project) -> None:
    """Also where it ended after the second run."""
    tests = TESTS.replace("(energy)", "(energy, server)")
    ending = FIXTURES.replace('work("down")', 'raise OSError("no way down")')
    gated.write(tests.replace("@pytest.mark", ending + "@pytest.mark", 1))
    run = suspicious(gated, second_j=10)
    run.result.assert_outcomes(passed=3, errors=1)
    assert "no way down" in run.text


def test_properties_of_the_test_are_there_once(gated: Project) -> None:
    """What a test records of itself is that of its last run."""
    gated.write(
        TESTS.replace("test_work(energy):", "test_work(energy, record_property):").replace(
            '    work("work")', '    record_property("mine", 1)\n    work("work")'
        )
    )
    suspicious(gated, "--junitxml=junit.xml", "-ojunit_family=xunit1", second_j=12.1)
    names = [one.get("name") for one in ET.parse(gated.path / "junit.xml").getroot().iter("property")]
    assert names.count("mine") == 1


def test_a_recording_holds_both_runs(gated: Project) -> None:
    """What `--energy-record` keeps of a suspect replays to the same verdict."""
    gated.replay({"test_work": [*rounds(12), *rounds(12.1)], "test_other": rounds(10)})
    first = gated.run("--energy-record=replay2.json")
    (gated.path / "replay2.json").replace(gated.path / "replay.json")
    again = gated.run()
    assert again.test()["reason"] == first.test()["reason"]
    assert len(again.test()["rounds"]) == 10


def test_each_run_of_a_process_is_its_own(gated: Project) -> None:
    """Nothing waits over the end of a run: the next one in the same process begins anew."""
    suspicious(gated, second_j=12.1).result.assert_outcomes(passed=2, failed=1)
    suspicious(gated, second_j=10).result.assert_outcomes(passed=3)


def test_off_and_replace_hold_nothing_back(gated: Project) -> None:
    """Where a regression fails nothing it needs no confirmation."""
    suspicious(gated, "--energy-baseline=off", second_j=12.1).result.assert_outcomes(passed=3)
    run = suspicious(gated, "--energy-baseline=replace", second_j=12.1)
    run.result.assert_outcomes(passed=3)
    assert order(gated) == ["work", "other", "plain"] * 2
    assert run.verdict() == "regression"


def test_a_confirmed_regression_is_not_added(gated: Project) -> None:
    """With `add` a regression that was confirmed late stays out; one that wasn't confirmed is as any test."""
    before = [path.read_bytes() for path in gated.baseline_paths]
    run = suspicious(gated, "--energy-baseline=add", second_j=12.1)
    assert "no baseline written for test_work.py::test_work" in run.text
    after = [path.read_bytes() for path in gated.baseline_paths]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True]


def test_no_terminal_is_needed(gated: Project) -> None:
    """Without the terminal reporter the exit status is the same."""
    assert suspicious(gated, "-p", "no:terminal", second_j=12.1).result.ret == 1


def test_a_test_that_waits_has_a_sign_of_its_own(gated: Project) -> None:
    """The progress shows `?`, and SUSPECT with `-v`; the percentages end at 100."""
    assert "test_work.py ?.." in suspicious(gated, second_j=12.1).text
    run = suspicious(gated, "-v", second_j=12.1)
    assert "test_work.py::test_work SUSPECT" in run.text
    assert "[100%]" in run.text


def test_a_unittest_case_runs_once_more(project: Project) -> None:
    """A method of a `TestCase` is a test like any."""
    project.write(
        "import unittest\nclass TestWork(unittest.TestCase):\n"
        "    @pytest.mark.energy\n    def test_work(self):\n        self.assertTrue(True)\n"
    )
    name = "TestWork::test_work"
    for _ in range(5):
        project.replay({name: [10.0]})
        project.run("--energy-baseline=add")
    project.replay({name: [14.0, 14.0]})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert len(run.test(name)["rounds"]) == 2


def test_records_of_a_process_share_its_session(gated: Project) -> None:
    """All tests of one process name one session, another process names another one."""
    names = []
    for _ in range(2):
        run = gated.run()
        assert run.document is not None
        (name,) = {test["session"] for test in run.document["tests"]}
        names.append(name)
    assert names[0] != names[1]
