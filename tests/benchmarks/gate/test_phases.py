"""The simulation of phases: few runs, and what they must show."""

import pytest

from benchmarks.gate.phases import NOISES, PHASES_J, Cell, main

QUIET = next(iter(NOISES))


def test_unchanged_code_does_not_fail_by_its_phases() -> None:
    """A suite of twenty tests with three judged phases each."""
    runs = Cell(noise=QUIET, session_count=3, test_count=20).outcomes(3)
    assert all(not one.failing for one in runs)


@pytest.mark.parametrize("phase", ["train", "serve"])
def test_a_phase_that_rises_by_a_quarter_is_named_alone(phase: str) -> None:
    """With the test itself within what is allowed, or not."""
    runs = Cell(noise=QUIET, session_count=5, changed=((phase, 1.25),)).outcomes(10)
    assert [one.named for one in runs] == [{phase}] * 10


def test_phases_that_are_not_judged_fail_nothing() -> None:
    """A small one that doubles is within what the test may use."""
    runs = Cell(noise=QUIET, session_count=5, phases=(), changed=(("load", 1.2),)).outcomes(10)
    assert all(not one.failing for one in runs)


def test_the_same_seed_gives_the_same_runs() -> None:
    """With judged phases and without, the noise is the same."""
    cell = Cell(noise=QUIET, session_count=1, changed=(("load", 1.1),))
    assert cell.outcomes(5) == cell.outcomes(5)


def test_the_tables_have_a_line_for_each_cell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each number of sessions, and each phase."""
    monkeypatch.setattr("benchmarks.gate.phases.SUITE_SIZE", 2)
    monkeypatch.setattr("benchmarks.gate.phases.NOISES", {QUIET: NOISES[QUIET]})
    assert main(["--repetitions", "10"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) == 3 * 2 + 2 + 2 * len(PHASES_J) + 2


def test_too_few_runs_are_refused() -> None:
    """A suite needs one at least."""
    with pytest.raises(SystemExit):
        main(["--repetitions", "1"])
