"""Counts in a run: what is called once more, what that changes, and a gate where nothing measures."""

import json

import pytest

from tests.plugin.conftest import Project, Run, rounds

NO_SENSOR = "--energy-sensors=absent"
CONFTEST = """
from pytest_energy.errors import SensorUnavailable

def absent():
    raise SensorUnavailable("absent", "there is none")

def pytest_energy_sensors(config):
    return {"absent": absent}
"""
WORK = """
import os

def work():
    return [len(text) for text in ["a"] * int(os.environ.get("CALLS", "3"))]
"""
BY_COUNTS = (
    WORK
    + """
@pytest.mark.energy(basis="counts")
def test_work(energy):
    energy.measure(work)
"""
)
SHOWN = (
    WORK
    + """
def test_work(energy):
    energy.measure(work)
"""
)


@pytest.fixture
def unmeasured(project: Project) -> Project:
    """A machine that measures nothing, and a test whose counts are compared."""
    project.write(BY_COUNTS)
    return project


def run(project: Project, *arguments: str, subprocess: bool = False) -> Run:
    """A run on a machine that measures nothing."""
    project.write(CONFTEST, name="conftest.py")
    return project.run(NO_SENSOR, *arguments, subprocess=subprocess)


def with_calls(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the work call `len` *count* times."""
    monkeypatch.setenv("CALLS", str(count))


def calls(entry: dict[str, object], name: str = "len") -> int:
    """How often a function was called, by a test's entry of the session document."""
    counts = json.loads(json.dumps(entry["counts"]))
    found = [one["count"] for one in counts["entries"] if one["name"] == name]
    assert len(found) == 1, counts
    return int(found[0])


class TestAGateWhereNothingMeasures:
    """The whole life of a baseline of counts, on a machine without any sensor."""

    def test_equal_counts_pass(self, unmeasured: Project) -> None:
        """The first run makes the baseline, and the next one is held against it."""
        first = run(unmeasured, "--energy-baseline=add")
        assert first.verdict() == "no-baseline"
        folders = [
            path.relative_to(unmeasured.path / "baselines").parts[0] for path in unmeasured.baseline_paths
        ]
        assert folders == ["counts_cpu"]
        second = run(unmeasured, "--energy-strict")
        assert second.verdict() == "pass"
        second.result.assert_outcomes(passed=1)

    def test_one_call_more_is_red(self, unmeasured: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """The exit status is 1, and the reason names the function."""
        run(unmeasured, "--energy-baseline=add")
        with_calls(4, monkeypatch)
        red = run(unmeasured)
        assert red.result.ret == pytest.ExitCode.TESTS_FAILED
        assert red.verdict() == "regression"
        assert "len is called 4 times, not 3" in red.text
        comparison = red.test()["counts_comparison"]
        assert comparison["is_judged"]
        assert comparison["changes"][0]["name"] == "len"

    def test_one_call_less_is_an_improvement_and_the_new_level(
        self, unmeasured: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Counts have no noise: what was saved once is what the next run is held against."""
        run(unmeasured, "--energy-baseline=add")
        with_calls(2, monkeypatch)
        assert run(unmeasured, "--energy-baseline=add").verdict() == "improvement"
        with_calls(3, monkeypatch)
        assert run(unmeasured).verdict() == "regression"

    def test_a_rise_that_is_meant_is_accepted(
        self, unmeasured: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A replacement fails nothing, and what comes next is held against it."""
        run(unmeasured, "--energy-baseline=add")
        with_calls(4, monkeypatch)
        run(unmeasured, "--energy-baseline=replace").result.assert_outcomes(passed=1)
        assert run(unmeasured).verdict() == "pass"

    def test_an_estimate_is_in_no_way(self, unmeasured: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where joules could be estimated the counts decide."""
        estimate = ("--energy-sensors=estimate", "--energy-rounds=1", "--energy-max-time=1")
        unmeasured.run(*estimate, "--energy-baseline=add")
        assert len(unmeasured.baseline_paths) == 1
        assert unmeasured.run(*estimate, "--energy-strict").verdict() == "pass"
        with_calls(4, monkeypatch)
        assert unmeasured.run(*estimate).verdict() == "regression"

    def test_no_rounds_are_estimated_for_nothing(self, unmeasured: Project) -> None:
        """An estimate would judge nothing: two calls tell all, and no other run is waited for."""
        entry = unmeasured.run("--energy-sensors=estimate").test()
        assert (entry["verdict"], entry["rounds"], calls(entry)) == ("no-baseline", [], 3)
        assert entry["unmeasured_because"].startswith("counts are judged, and joules can only be")
        judged = unmeasured.run("--energy-sensors=estimate", "--energy-estimates=gate", "--energy-rounds=1")
        assert judged.test().get("unmeasured_because") is None

    def test_the_tolerance_is_the_markers(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of 100 calls one more is 1 %, and weighs less than that."""
        project.write(BY_COUNTS.replace('basis="counts"', 'basis="counts", tolerance=0.02'))
        with_calls(100, monkeypatch)
        run(project, "--energy-baseline=add")
        with_calls(101, monkeypatch)
        assert run(project).verdict() == "pass"
        with_calls(110, monkeypatch)
        assert run(project).verdict() == "regression"

    def test_the_option_asks_for_all_tests(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """And a marker that says otherwise wins."""
        project.write(
            SHOWN
            + '\n@pytest.mark.energy(basis="gross")\ndef test_joules(energy):\n    energy.measure(work)\n'
        )
        run(project, "--energy-basis=counts", "--energy-baseline=add")
        with_calls(4, monkeypatch)
        red = run(project, "--energy-basis=counts")
        assert (red.verdict("test_work"), red.verdict("test_joules")) == ("regression", "unmeasured")

    def test_without_counts_a_test_is_unmeasured(self, unmeasured: Project) -> None:
        """It passes nothing: under strict it fails."""
        run(unmeasured, "--energy-baseline=add")
        off = run(unmeasured, "--energy-trace=off")
        assert off.verdict() == "unmeasured"
        assert "nothing was counted: --energy-trace=off" in off.test()["reason"]
        strict = run(unmeasured, "--energy-trace=off", "--energy-strict")
        assert strict.result.ret == pytest.ExitCode.TESTS_FAILED

    def test_workers_gate_as_one_process_does(
        self, unmeasured: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Under xdist the counts travel to the controller, which writes the baseline."""
        pytest.importorskip("xdist")
        run(unmeasured, "-n1", "--energy-baseline=add", subprocess=True)
        assert len(unmeasured.baseline_paths) == 1
        with_calls(4, monkeypatch)
        red = run(unmeasured, "-n1", subprocess=True)
        assert (red.verdict(), red.result.ret) == ("regression", pytest.ExitCode.TESTS_FAILED)

    def test_a_broken_baseline_of_counts_stops_the_run(self, unmeasured: Project) -> None:
        """As any baseline does: before the work."""
        run(unmeasured, "--energy-baseline=add")
        (path,) = unmeasured.baseline_paths
        path.write_text("{", encoding="utf-8")
        assert run(unmeasured).result.ret == pytest.ExitCode.USAGE_ERROR


class TestBesideJoules:
    """Without the basis counts are shown, and no verdict hangs on them."""

    def test_a_rise_is_told_and_fails_nothing(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Equal joules pass, whatever was called."""
        project.write(SHOWN)
        project.replay({"test_work": [10.0, 10.1, 9.9, 10.0, 10.0]})
        project.run("--energy-baseline=add")
        with_calls(4, monkeypatch)
        told = project.run()
        assert told.verdict() == "pass"
        comparison = told.test()["counts_comparison"]
        assert (comparison["verdict"], comparison["is_judged"]) == ("regression", False)

    def test_a_machine_without_sensors_is_shown_the_counts_of_another(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A baseline that has joules has counts as well: they are compared where nothing measures."""
        project.write(SHOWN)
        project.replay({"test_work": [10.0, 10.1, 9.9, 10.0, 10.0]})
        project.run("--energy-baseline=add")
        (project.path / "replay.json").unlink()
        with_calls(4, monkeypatch)
        told = run(project)
        told.result.assert_outcomes(passed=1)
        assert told.verdict() == "unmeasured"
        assert told.test()["counts_comparison"]["verdict"] == "regression"

    def test_such_a_baseline_gates_where_counts_are_asked_for(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One nightly run that measures makes the baseline of all that don't."""
        project.write(SHOWN)
        project.replay({"test_work": [10.0, 10.1, 9.9, 10.0, 10.0]})
        project.run("--energy-baseline=add")
        (project.path / "replay.json").unlink()
        assert run(project, "--energy-basis=counts").verdict() == "pass"
        with_calls(4, monkeypatch)
        assert run(project, "--energy-basis=counts").verdict() == "regression"


class TestTheCallMore:
    """What is called to be counted changes nothing of the test."""

    def test_it_comes_after_the_rounds(self, project: Project) -> None:
        """No window is open, and the result is that of the last round."""
        project.write(
            "def test_work(energy):\n"
            "    calls = []\n"
            "    result = energy.measure(lambda: calls.append(1) or len(calls))\n"
            "    assert result == 5 < len(calls)\n"
        )
        project.replay({"test_work": [10.0, 10.1, 9.9, 10.0, 10.0]})
        project.run().result.assert_outcomes(passed=1)

    def test_a_smaller_piece_stands_in(self, project: Project) -> None:
        """`traced=` is called instead, without arguments, and checked."""
        project.write(
            "def test_work(energy):\n"
            "    pieces = []\n"
            "    energy.measure(lambda: sum([1, 2]), traced=lambda: pieces.append(len('step')))\n"
            "    assert set(pieces) == {4}\n"
            "def test_wrong(energy):\n"
            "    energy.measure(lambda: None, traced=3)\n"
        )
        done = run(project)
        done.result.assert_outcomes(passed=1, failed=1)
        assert calls(done.test()) == 1
        assert "takes a function as traced=. Got an int: 3." in done.text

    def test_one_that_fails_fails_nothing(self, project: Project) -> None:
        """Work that can be done once has no counts, and the record says why."""
        project.write("def test_work(energy):\n    left = [1]\n    energy.measure(left.pop)\n")
        done = run(project)
        done.result.assert_outcomes(passed=1)
        assert "pop from empty list" in done.test()["absent"]["counts"]

    def test_a_run_that_confirms_is_not_counted(self, gated: Project) -> None:
        """A test that runs once more keeps the counts of its first run, and is called for rounds alone."""
        gated.write(
            "CALLS = []\n"
            "def work():\n"
            "    CALLS.append(len(CALLS))\n"
            "@pytest.mark.energy(rounds=5)\n"
            "def test_work(energy):\n"
            "    before = len(CALLS)\n"
            "    energy.measure(work)\n"
            "    energy.record(calls=len(CALLS) - before)\n"
        )
        gated.replay({"test_work": [*rounds(13.0), *rounds(13.1)]})
        run = gated.run()
        assert (run.verdict(), run.test()["confirming_count"]) == ("regression", 5)
        assert run.test()["counts"]["source"]
        assert "counts" not in run.test()["absent"]
        both = run.test()["metrics"]["calls"]  # the mean of the two runs
        gated.replay({"test_work": rounds(10.0)})
        once = gated.run().test()["metrics"]["calls"]
        assert once > 5.0
        assert both == (once + 5.0) / 2

    def test_its_windows_and_metrics_are_not_the_tests(self, project: Project) -> None:
        """Phases in it are no windows of their own, and what it records is dropped."""
        project.write(
            "def test_work(energy):\n"
            "    numbers = iter(range(100))\n"
            "    def work():\n"
            "        with energy.window('part'):\n"
            "            energy.record(number=next(numbers))\n"
            "    energy.measure(work)\n"
        )
        project.replay({"test_work": [10.0, 10.1, 9.9, 10.0, 10.0]})
        done = project.run("--energy-rounds=5")
        done.result.assert_outcomes(passed=1)
        assert done.test()["metrics"]["number"] == 4.0
        assert done.test()["counts"]["source"]

    def test_a_block_is_not_called_again(self, project: Project) -> None:
        """Where a test measures itself the record says what would be counted."""
        project.write("@pytest.mark.energy\ndef test_work():\n    assert True\n")
        assert "energy.measure(work)" in run(project).test()["absent"]["counts"]

    def test_off_calls_nothing_more(self, project: Project) -> None:
        """`--energy-trace=off`, and `--energy-off`, run the work as often as without counts."""
        project.write(
            "def test_work(energy):\n"
            "    calls = []\n"
            "    energy.measure(calls.append, 1)\n"
            "    assert calls == [1]\n"
        )
        run(project, "--energy-trace=off").result.assert_outcomes(passed=1)
        run(project, "--energy-off").result.assert_outcomes(passed=1)

    def test_what_all_traces_took_is_noted(self, project: Project) -> None:
        """Where it is long enough to be noticed, over all tests."""
        work = "def test_{}(energy):\n    energy.measure(lambda: time.sleep(0.4))\n"
        project.write("import time\n" + "".join(map(work.format, "abc")))
        notes = [line for line in run(project).text.splitlines() if "traces took" in line]
        assert len(notes) == 1
        assert notes[0].endswith("for 3 tests")
