"""`--energy-benchmark`: tests with the fixture `benchmark` are measured as they are.

The rules are held with a stand-in for the plugins that bring the fixture, and with those that are there.
"""

import importlib.util
import inspect
from typing import NamedTuple

import pytest

from tests.plugin.conftest import Project, Run

ROUNDS_J = [9.9, 10.0, 10.1, 9.95, 10.05]
NOT_REAL = ("-p", "no:benchmark", "-p", "no:codspeed")

# What both plugins promise: the result of the work, its setup before and its teardown after, once a test.
STAND_IN = """
import pytest

class Benchmark:
    def __init__(self):
        self.is_used = False

    def _use(self):
        assert not self.is_used, "used twice"
        self.is_used = True

    def __call__(self, target, *args, **kwargs):
        self._use()
        return [target(*args, **kwargs) for _ in range(3)][-1]

    def pedantic(self, target, args=(), kwargs=None, setup=None, teardown=None, rounds=1, iterations=1):
        self._use()
        for _ in range(rounds):
            args, kwargs = (setup() if setup else None) or (args, kwargs or {})
            result = [target(*args, **kwargs) for _ in range(iterations)][-1]
            if teardown:
                teardown(*args, **kwargs)
        return result

@pytest.fixture
def benchmark():
    return Benchmark()

def pytest_configure(config):
    config.addinivalue_line("markers", "benchmark: settings of a benchmark")
"""
LIKE_CODSPEED = """
@pytest.fixture
def codspeed_benchmark(benchmark):
    return benchmark
"""
# Joules are what the work says it uses, so that the truth is known.
SENSOR = """
import time

from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.usage import Usage
from pytest_energy.sensors.protocol import Facts

JOULES = {"cpu:steady": 0.0}

def use(energy_j):
    JOULES["cpu:steady"] += energy_j
    time.sleep(0.03)  # joules of no time at all are void

class Steady:
    name, provenance = "steady", Provenance.MEASURED
    channels = (
        Channel(name="cpu:steady", domain=Domain.CPU, device="steady", is_ticked=False, resolution_j=1e-9),
    )

    def read_j(self, channel):
        return JOULES[channel]

    def usage(self):
        return Usage()

    def facts(self):
        return Facts(key_parts=("steady",))

    def close(self):
        pass

def pytest_energy_sensors(config):
    return {"steady": Steady}
"""
WORK = """
def test_work(benchmark):
    assert benchmark(len, "four") == 4
"""


class Brought(NamedTuple):
    """What brings the fixture, and the arguments that leave the others out and keep it short."""

    module: str | None
    arguments: tuple[str, ...]

    @property
    def is_there(self) -> bool:
        found = self.module and importlib.util.find_spec(self.module)
        return self.module is None or bool(found and found.origin)  # a folder that pip left behind has none


BROUGHT = {
    "stand-in": Brought(None, NOT_REAL),
    "pytest-benchmark": Brought(
        "pytest_benchmark",
        ("-p", "no:codspeed", "--benchmark-max-time=0.001", "--benchmark-min-rounds=1"),
    ),
    "pytest-codspeed": Brought(
        "pytest_codspeed",
        ("-p", "no:benchmark", "--codspeed", "--codspeed-max-time=0.001", "--codspeed-warmup-time=0"),
    ),
}


class Benchmarks:
    """A project whose `benchmark` is a stand-in's, or a real plugin's."""

    def __init__(self, project: Project, brought: Brought) -> None:
        self.project, self.module = project, brought.module
        self._arguments = brought.arguments
        self._conftest = STAND_IN if brought.module is None else ""
        self.project.replay({"test_work": ROUNDS_J})
        self.write(WORK)

    def write(self, source: str, *, conftest: str = "") -> None:
        self.project.write(source)
        self.project.write(self._conftest + conftest, "conftest.py")

    def live(self, source: str) -> None:
        """Measure with the sensor rather than from the file."""
        (self.project.path / "replay.json").unlink()
        self.write("from conftest import use\n" + source, conftest=SENSOR)
        self._arguments += ("--energy-sensors=steady", "--energy-rounds=3")

    def run(self, *arguments: str, subprocess: bool = False) -> Run:
        return self.project.run(*self._arguments, "--energy-benchmark", *arguments, subprocess=subprocess)

    def run_without(self, *arguments: str) -> Run:
        return self.project.run(*self._arguments, *arguments)


@pytest.fixture(params=[name for name, brought in BROUGHT.items() if brought.is_there])
def benchmarks(request: pytest.FixtureRequest, virtual_project: Project) -> Benchmarks:
    return Benchmarks(virtual_project, BROUGHT[request.param])


@pytest.fixture
def teardowns(benchmarks: Benchmarks) -> Benchmarks:
    """Those whose `pedantic` takes a teardown: that of pytest-benchmark 4 does not."""
    if benchmarks.module == "pytest_benchmark":
        fixture = importlib.import_module("pytest_benchmark.fixture").BenchmarkFixture
        if "teardown" not in inspect.signature(fixture.pedantic).parameters:
            pytest.skip("this pytest-benchmark has no teardown")
    return benchmarks


@pytest.fixture
def stand_in(virtual_project: Project) -> Benchmarks:
    return Benchmarks(virtual_project, BROUGHT["stand-in"])


@pytest.fixture
def real(project: Project) -> Benchmarks:
    if not BROUGHT["pytest-benchmark"].is_there:
        pytest.skip("pytest-benchmark is not installed")
    return Benchmarks(project, BROUGHT["pytest-benchmark"])


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


def test_ours_come_after_theirs(stand_in: Benchmarks) -> None:
    """The result is the last of their calls, and then the work is called once for each round, and counted."""
    stand_in.write(
        """
def test_work(benchmark):
    calls = []
    result = benchmark(lambda: calls.append(1) or len(calls))
    assert (result, len(calls)) == (3, 8)
"""
    )
    stand_in.run("--energy-trace=off").result.assert_outcomes(passed=1)
    counted = stand_in.run()
    counted.result.assert_outcomes(failed=1)  # as it counts calls, and there is one more at least


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


def test_work_that_is_set_up_is_counted_with_its_setup_outside(teardowns: Benchmarks) -> None:
    """What a setup and a teardown call is not the work's.

    In a process of its own: with torch it would take a second call, which such work doesn't allow.
    """
    teardowns.write(
        """
def test_work(benchmark):
    benchmark.pedantic(
        lambda word: len(word),
        setup=lambda: (("x" * abs(-3),), {}),
        teardown=lambda word: hash(word),
    )
"""
    )
    counts = teardowns.run(subprocess=True).test()["counts"]
    names = {one["name"] for one in counts["entries"]}
    assert "len" in names
    assert names.isdisjoint({"abs", "hash"})


def test_rounds_are_taken_where_benchmark_is_called(benchmarks: Benchmarks) -> None:
    """What is open around the call of `benchmark` is still open in our rounds."""
    benchmarks.write(
        """
import io

def test_work(benchmark):
    with io.StringIO() as file:
        benchmark(file.write, "word")
"""
    )
    assert len(benchmarks.run().test()["rounds"]) == len(ROUNDS_J)


def test_setup_and_teardown_are_around_each_call(teardowns: Benchmarks) -> None:
    """Each round sets up, calls the work with what the setup gave, and tears down."""
    teardowns.write(
        """
def test_work(benchmark):
    done = []
    benchmark.pedantic(
        lambda word: done.append(word),
        setup=lambda: done.append("setup") or (("work",), {}),
        teardown=lambda word: done.append("teardown"),
        rounds=2,
    )
    assert done[-15:] == ["setup", "work", "teardown"] * 5
    assert len(done) % 3 == 0
"""
    )
    run = teardowns.run()
    run.result.assert_outcomes(passed=1)
    assert len(run.test()["rounds"]) == len(ROUNDS_J)


def test_what_setup_and_teardown_use_does_not_count(teardowns: Benchmarks) -> None:
    """Joules of a setup and a teardown are in no round."""
    teardowns.live(
        """
def test_work(benchmark):
    benchmark.pedantic(use, args=[0.25], setup=lambda *_: use(7.0), teardown=lambda _: use(5.0))
"""
    )
    assert [one["energy_j"] for one in teardowns.run().test()["rounds"]] == pytest.approx([0.25] * 3)


def test_a_teardown_alone_keeps_their_iterations(teardowns: Benchmarks) -> None:
    """As many calls are between two teardowns as in their rounds, and the joules are those of one call."""
    teardowns.live(
        """
def test_work(benchmark):
    done = []
    benchmark.pedantic(
        lambda: done.append("call") or use(0.25), teardown=lambda: done.append("teardown"), iterations=4
    )
    assert done[-5:] == ["call"] * 4 + ["teardown"]
"""
    )
    rounds = teardowns.run("--energy-trace=off").test()["rounds"]
    assert [one["energy_j"] for one in rounds] == pytest.approx([0.25] * 3)
    assert {one["call_count"] for one in rounds} == {4}


def test_a_round_without_setup_holds_many_calls(benchmarks: Benchmarks) -> None:
    """Short work is called until its joules are known, whatever their rounds and iterations are."""
    benchmarks.live(
        "def test_work(benchmark):\n    benchmark.pedantic(use, args=[0.25], iterations=2, rounds=3)\n"
    )
    rounds = benchmarks.run().test()["rounds"]
    assert [one["energy_j"] for one in rounds] == pytest.approx([0.25] * 3)
    assert all(one["call_count"] > 2 for one in rounds)


def test_a_setup_explains_a_void_round(stand_in: Benchmarks) -> None:
    """Where one call is too short to be known the reason says why a round doesn't hold more."""
    stand_in.live("def test_work(benchmark):\n    benchmark.pedantic(use, args=[-1.0], setup=lambda: None)\n")
    run = stand_in.run()
    assert run.verdict() == "void"
    assert (
        "a round holds one call, because benchmark.pedantic has a setup or a teardown" in run.test()["reason"]
    )


def test_work_that_cannot_be_repeated_is_unmeasured(benchmarks: Benchmarks) -> None:
    """The test passes as without the option; its record says what stood in the way, and strict fails it."""
    benchmarks.write(
        """
def test_work(benchmark):
    uses = iter(["once", "twice"])
    assert benchmark.pedantic(lambda: next(uses)) in {"once", "twice"}
"""
    )
    run = benchmarks.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "unmeasured"
    assert run.test()["unmeasured_because"] == "the benchmark can't be run again: StopIteration:"
    benchmarks.run("--energy-strict").result.assert_outcomes(failed=1)


def test_the_next_test_is_measured_after_one_that_could_not_be(stand_in: Benchmarks) -> None:
    """A round that broke off in the middle of its window leaves nothing behind."""
    stand_in.live(
        """
def test_broken(benchmark):
    uses = [1, 2, 3]
    benchmark(uses.pop)

def test_work(benchmark):
    benchmark(use, 0.25)
"""
    )
    run = stand_in.run()
    run.result.assert_outcomes(passed=2)
    assert run.verdict("test_broken") == "unmeasured"
    assert [one["energy_j"] for one in run.test()["rounds"]] == pytest.approx([0.25] * 3)


def test_a_failure_after_our_calls_is_explained(benchmarks: Benchmarks) -> None:
    """A test that counts calls fails by its own assertion, with a note that there were more calls."""
    benchmarks.write(
        """
def test_work(benchmark):
    calls = []
    benchmark.pedantic(calls.append, args=[1], rounds=3)
    assert len(calls) <= 4
"""
    )
    run = benchmarks.run()
    run.result.assert_outcomes(failed=1)
    assert "assert len(calls) <= 4" in run.text
    assert "--energy-benchmark called the benchmarked function again, in its own rounds" in run.text


def test_a_repeated_test_starts_anew(stand_in: Benchmarks) -> None:
    """A test that another plugin runs again and that fails before its benchmark has no note of calls."""
    stand_in.write(
        """
RUNS = []

def test_work(benchmark):
    RUNS.append(1)
    assert len(RUNS) < 2
    benchmark(len, "four")
""",
        conftest="""
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):
        runtestprotocol(item, nextitem=nextitem)
    return True
""",
    )
    run = stand_in.run()
    run.result.assert_outcomes(passed=1, failed=1)
    assert "called the benchmarked function again, in its own rounds" not in run.text


def test_a_failing_verdict_is_not_explained_by_calls(benchmarks: Benchmarks) -> None:
    """The marker's budget holds for one call of the work; its failure is the verdict's, without the note."""
    benchmarks.write("@pytest.mark.energy(budget_j=5, samples=2)" + WORK)
    run = benchmarks.run()
    run.result.assert_outcomes(failed=1)
    assert run.verdict() == "over-budget"
    assert run.test()["samples"] == 2
    assert "called the benchmarked function again, in its own rounds" not in run.text


def test_the_marker_sets_the_rounds(stand_in: Benchmarks) -> None:
    """`rounds=` of the marker energy is the number of our rounds."""
    stand_in.write("@pytest.mark.energy(rounds=2)" + WORK)
    assert len(stand_in.run().test()["rounds"]) == 2


def test_their_error_is_theirs(benchmarks: Benchmarks) -> None:
    """An error of the work, or of the arguments of `pedantic`, comes out as without the option."""
    benchmarks.write(
        """
def test_work(benchmark):
    benchmark(int, "no number")

def test_arguments(benchmark):
    benchmark(len, "four")
    with pytest.raises(TypeError):
        benchmark.pedantic(len, ["four"], nonsense=1)
"""
    )
    run = benchmarks.run()
    run.result.assert_outcomes(passed=1, failed=1)
    assert "ValueError: invalid literal for int()" in run.text
    assert "called the benchmarked function again, in its own rounds" not in run.text


def test_a_benchmark_that_did_not_happen_is_unmeasured(stand_in: Benchmarks) -> None:
    """Where `benchmark` was not called, or raised, the record says that there was no call."""
    stand_in.write("def test_work(benchmark):\n    pass\n")
    run = stand_in.run()
    assert run.verdict() == "unmeasured"
    because = "the test uses the fixture benchmark, but no call of it was completed"
    assert run.test()["unmeasured_because"] == because


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


def test_a_marked_test_is_a_benchmark_to_codspeed(stand_in: Benchmarks) -> None:
    """With pytest-codspeed a marked test without the fixture is measured whole, again and again."""
    marked = """
CALLS = []

@pytest.mark.benchmark
def test_work():
    CALLS.append(1)

def test_count():
    assert len(CALLS) == 6
"""
    stand_in.write(marked, conftest=LIKE_CODSPEED)
    run = stand_in.run("--energy-trace=off")
    run.result.assert_outcomes(passed=2)
    assert [one["energy_j"] for one in run.test()["rounds"]] == ROUNDS_J
    stand_in.write(marked)
    stand_in.run().result.assert_outcomes(passed=1, failed=1)


@pytest.mark.skipif(not BROUGHT["pytest-codspeed"].is_there, reason="pytest-codspeed is not installed")
def test_a_marked_test_of_codspeed_is_measured_beside_it(project: Project) -> None:
    """pytest-codspeed times the whole test, and then we measure it."""
    benchmarks = Benchmarks(project, BROUGHT["pytest-codspeed"])
    benchmarks.write("@pytest.mark.benchmark\ndef test_work():\n    pass\n")
    run = benchmarks.run()
    run.result.assert_outcomes(passed=1)
    assert [one["energy_j"] for one in run.test()["rounds"]] == ROUNDS_J
    assert "1 benchmarked" in run.text


def test_their_table_is_whole(real: Benchmarks) -> None:
    """pytest-benchmark shows its table, knows its fixture, and has the timings of its own rounds only."""
    real.write(
        """
def test_work(benchmark):
    from pytest_benchmark.fixture import BenchmarkFixture
    assert type(benchmark).__name__ == "BenchmarkFixture"
    assert isinstance(benchmark, BenchmarkFixture)
    benchmark.pedantic(len, ["four"], rounds=7)
    assert len(benchmark.stats.stats.data) == 7
"""
    )
    run = real.run()
    run.result.assert_outcomes(passed=1)
    assert "benchmark: 1 tests" in run.text


def test_disabled_benchmarks_are_measured(real: Benchmarks) -> None:
    """With --benchmark-disable they call the work once, and we measure it."""
    real.write(
        """
def test_work(benchmark):
    calls = []
    benchmark(calls.append, 1)
    assert len(calls) == 1 + 5
"""
    )
    run = real.run("--benchmark-disable")
    run.result.assert_outcomes(passed=1)
    assert [one["energy_j"] for one in run.test()["rounds"]] == ROUNDS_J


def test_skipped_benchmarks_are_not_measured(real: Benchmarks) -> None:
    """With --benchmark-skip there is nothing to measure."""
    run = real.run("--benchmark-skip")
    run.result.assert_outcomes(skipped=1)
    assert run.ids == []


def test_an_estimate_is_shown(stand_in: Benchmarks) -> None:
    """Without a sensor the joules of a benchmark are estimated, and said to be."""
    (stand_in.project.path / "replay.json").unlink()
    stand_in.write("def test_work(benchmark):\n    benchmark(sum, range(200_000))\n")
    run = stand_in.run("--energy-sensors=estimate", "--energy-rounds=2", "--energy-max-time=4")
    run.result.assert_outcomes(passed=1)
    assert run.test()["provenance"] == "estimated"
    assert run.test()["rounds"]


def test_an_unknown_version_is_left_alone(stand_in: Benchmarks) -> None:
    """Insides that nobody has looked at aren't changed: the benchmark runs, unmeasured, with the reason."""
    installed = stand_in.project.path / "pytest_benchmark-99.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-benchmark\nVersion: 99.0\n")
    stand_in.write(
        WORK,
        conftest='Benchmark.__module__ = "pytest_benchmark.fixture"\nimport sys\nsys.path.insert(0, ".")\n',
    )
    run = stand_in.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "unmeasured"
    assert run.test()["unmeasured_because"].startswith("pytest-benchmark 99.0 is not known to work")


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
