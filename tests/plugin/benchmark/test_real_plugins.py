"""`--energy-benchmark` beside pytest-benchmark and pytest-codspeed: their tables and settings are theirs."""

import pytest

from tests.plugin.benchmark.conftest import BROUGHT, ROUNDS_J, WORK, Benchmarks
from tests.plugin.conftest import Project

LIKE_CODSPEED = """
@pytest.fixture
def codspeed_benchmark(benchmark):
    return benchmark
"""


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
