"""`--energy-record`: what was measured can be judged again anywhere, to the same joules."""

import json

import pytest

from tests.plugin.conftest import Project, Run

WORK = """
@pytest.mark.energy(rounds=2, warmup=1)
def test_measured(energy):
    energy.measure(sum, range(10**6))

def test_windows(energy):
    for _ in range(2):
        with energy.window("first"):
            sum(range(10**6))
        with energy.window("second"):
            sum(range(10**6))

@pytest.mark.energy
def test_marked():
    sum(range(10**6))
"""
NAMES = ("test_measured", "test_windows", "test_marked")


def joules(run: Run) -> dict[str, list[float]]:
    return {name: [one_round["energy_j"] for one_round in run.test(name)["rounds"]] for name in NAMES}


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "xdist"])
def test_a_recorded_run_replays_to_the_same_joules(project: Project, workers: list[str]) -> None:
    """Rounds of `measure`, of windows and of a marked body come back, also from workers."""
    project.write(WORK)
    recorded = project.run(
        "--energy-sensors=estimate", "--energy-record=replay.json", *workers, subprocess=bool(workers)
    )
    recorded.result.assert_outcomes(passed=3)
    replayed = project.run()
    replayed.result.assert_outcomes(passed=3)
    expected = joules(recorded)
    assert joules(replayed) == {name: pytest.approx(values, rel=1e-9) for name, values in expected.items()}
    assert [len(values) for values in expected.values()] == [2, 2, 1]
    assert {replayed.test(name)["provenance"] for name in NAMES} == {"replayed"}


def test_the_ticks_are_in_the_file(project: Project) -> None:
    """The file holds what the counters showed, not only what was made of it."""
    project.write(WORK)
    project.run("--energy-sensors=estimate", "--energy-record=replay.json")
    document = json.loads((project.path / "replay.json").read_text(encoding="utf-8"))
    rounds = document["tests"]["test_work.py::test_measured"]["rounds"]
    assert [sorted(one_round["ticks"]) for one_round in rounds] == [["cpu:processes"]] * 2


def test_a_recording_that_can_not_be_written_is_an_error(project: Project) -> None:
    """The path is named and the exit code says that the file is missing."""
    project.write(WORK)
    (project.path / "taken").write_text("", encoding="utf-8")
    run = project.run("--energy-sensors=estimate", "--energy-record=taken/replay.json")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "taken" in run.text
