"""`--energy-benchmark`: our rounds are calls of the benchmarked work, after those of its plugin."""

import pytest

from tests.plugin.benchmark.conftest import ROUNDS_J, WORK, Benchmarks


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
