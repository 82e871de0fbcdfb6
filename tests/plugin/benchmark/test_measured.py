"""`--energy-benchmark`: tests with the fixture `benchmark` are energy tests, where they can be."""

import pytest

from tests.plugin.benchmark.conftest import NOT_REAL, ROUNDS_J, WORK, Benchmarks
from tests.plugin.conftest import Project


def test_a_benchmark_is_an_energy_test(benchmarks: Benchmarks) -> None:
    """A test with the fixture has a record of rounds, and the result of `benchmark` is that of the work."""
    run = benchmarks.run()
    run.result.assert_outcomes(passed=1)
    assert [one["energy_j"] for one in run.test()["rounds"]] == ROUNDS_J
    assert run.verdict() == "no-baseline"


def test_without_the_option_nothing_is_measured(benchmarks: Benchmarks) -> None:
    """A benchmark is an ordinary test unless the option is given."""
    run = benchmarks.run_without()
    run.result.assert_outcomes(passed=1)
    assert run.ids == []


def test_without_the_option_nothing_is_imported(stand_in: Benchmarks) -> None:
    """The part that measures benchmarks is imported only for the option."""
    stand_in.write(
        WORK
        + "    import sys\n    assert not {'numpy', 'pytest_energy.plugin.benchmarks'} & set(sys.modules)\n"
    )
    (stand_in.project.path / "replay.json").unlink()
    stand_in.project._pytester.runpytest_subprocess(*NOT_REAL).assert_outcomes(passed=1)


def test_the_option_has_a_twin_in_the_file(stand_in: Benchmarks) -> None:
    """`energy_benchmark = true` in the configuration file is the option."""
    (stand_in.project.path / "pytest.ini").write_text("[pytest]\nenergy_benchmark = true\n", encoding="utf-8")
    assert stand_in.run_without().verdict() == "no-baseline"


def test_where_nothing_measures_the_work_is_counted(stand_in: Benchmarks) -> None:
    """One call more than theirs is all that it takes, so that counts are there to gate on."""
    stand_in.project.replay({"test_other": ROUNDS_J})
    stand_in.write(
        """
def test_work(benchmark):
    assert benchmark(lambda: [len("four"), len("five")]) == [4, 4]
"""
    )
    entry = stand_in.run().test()
    assert (entry["verdict"], entry["rounds"]) == ("unmeasured", [])
    assert {one["name"]: one["count"] for one in entry["counts"]["entries"]}["len"] == 2


def test_a_benchmark_in_another_fixture_is_measured(benchmarks: Benchmarks) -> None:
    """A fixture of the test may call `benchmark`."""
    benchmarks.write(
        """
@pytest.fixture
def length(benchmark):
    return benchmark(len, "four")

def test_work(length):
    assert length == 4
"""
    )
    assert [one["energy_j"] for one in benchmarks.run().test()["rounds"]] == ROUNDS_J


def test_a_fixture_over_theirs_is_measured_once(benchmarks: Benchmarks) -> None:
    """A project's own `benchmark` that gives the plugin's on is measured like that, once."""
    benchmarks.write(
        """
@pytest.fixture
def benchmark(benchmark):
    benchmark.extra_info = {"by": "the project"}
    return benchmark

def test_work(benchmark):
    calls = []
    benchmark.pedantic(calls.append, args=[1], rounds=2)
    assert len(calls) in {2 + 5, 3 + 5}
"""
    )
    run = benchmarks.run("--energy-trace=off")
    run.result.assert_outcomes(passed=1)
    assert [one["energy_j"] for one in run.test()["rounds"]] == ROUNDS_J


def test_the_fixture_energy_decides(benchmarks: Benchmarks) -> None:
    """A test with both fixtures has one record, of what it gives to `energy`; `benchmark` is as without."""
    benchmarks.write(
        """
def test_work(benchmark, energy):
    calls = []
    benchmark.pedantic(calls.append, args=[1])
    before = len(calls)
    energy.measure(calls.append, 1)
    assert before <= 2
    assert len(calls) == before + 5
"""
    )
    run = benchmarks.run("--energy-trace=off")
    run.result.assert_outcomes(passed=1)
    assert [one["energy_j"] for one in run.test()["rounds"]] == ROUNDS_J


def test_without_a_plugin_the_option_is_refused(project: Project) -> None:
    """Where nothing brings the fixture the run stops before any test, and says what to install."""
    run = project.run(*NOT_REAL, "--energy-benchmark")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "install pytest-benchmark or pytest-codspeed" in run.text


def test_off_wins(stand_in: Benchmarks) -> None:
    """With --energy-off `benchmark` does what it does without us."""
    stand_in.write(
        """
def test_work(benchmark):
    calls = []
    benchmark(calls.append, 1)
    assert len(calls) == 3
"""
    )
    run = stand_in.run("--energy-off")
    run.result.assert_outcomes(passed=1)
    assert run.ids == []


def test_workers_measure_benchmarks(stand_in: Benchmarks) -> None:
    """Under xdist each benchmark is measured in its worker and shown by the controller."""
    pytest.importorskip("xdist")
    stand_in.project.replay({"test_work": ROUNDS_J, "test_other": ROUNDS_J})
    stand_in.write(WORK + WORK.replace("test_work", "test_other"))
    run = stand_in.run("-n2", subprocess=True)
    run.result.assert_outcomes(passed=2)
    assert [run.verdict(name) for name in ("test_work", "test_other")] == ["no-baseline"] * 2


def test_a_whole_test_is_no_baseline_for_a_call(stand_in: Benchmarks) -> None:
    """Joules of the whole test, without the option, are not compared with those of one call."""
    stand_in.write("@pytest.mark.energy" + WORK)
    stand_in.run_without("--energy-baseline=add")
    assert stand_in.run().verdict() == "not-comparable"


def test_an_estimate_is_shown(stand_in: Benchmarks) -> None:
    """Without a sensor the joules of a benchmark are estimated, and said to be."""
    (stand_in.project.path / "replay.json").unlink()
    stand_in.write("def test_work(benchmark):\n    benchmark(sum, range(200_000))\n")
    run = stand_in.run("--energy-sensors=estimate", "--energy-rounds=2", "--energy-max-time=4")
    run.result.assert_outcomes(passed=1)
    assert run.test()["provenance"] == "estimated"
    assert run.test()["rounds"]


SLOTTED = """
class Slotted:
    __slots__ = ("inner",)

    def __init__(self):
        self.inner = Benchmark()

    def __call__(self, target, *args, **kwargs):
        return self.inner(target, *args, **kwargs)

    def pedantic(self, *args, **kwargs):
        return self.inner.pedantic(*args, **kwargs)

@pytest.fixture
def benchmark():
    return Slotted()
"""


def test_a_fixture_that_can_not_be_changed_is_left_alone(stand_in: Benchmarks) -> None:
    """Where the class of the object can't be another the benchmark runs, unmeasured, with the reason."""
    stand_in.write(
        WORK,
        conftest=SLOTTED,
    )
    run = stand_in.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "unmeasured"
    assert run.test()["unmeasured_because"].startswith("the fixture Slotted can't be measured")


def test_a_regression_of_a_benchmark_is_confirmed_at_once(stand_in: Benchmarks) -> None:
    """A second run of the test would count twice in their tables; the verdict waits all the same."""
    for _ in range(5):
        assert stand_in.run("--energy-baseline=add").result.ret == 0
    stand_in.write(
        WORK.replace(
            "    assert", "    with open('ran', 'a') as file:\n        file.write('once')\n    assert"
        )
    )
    stand_in.project.replay({"test_work": [1.3 * energy_j for energy_j in [*ROUNDS_J, *ROUNDS_J]]})
    run = stand_in.run("--energy-rounds=5")
    run.result.assert_outcomes(failed=1)
    assert (run.verdict(), run.test()["confirming_count"]) == ("regression", 5)
    assert "test_work.py ?F" in run.text
    assert (stand_in.project.path / "ran").read_text(encoding="utf-8") == "once"
