"""How the exam of energy bugs runs, reads and tells what the gate said."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.bugs.answers import Answer, answered, load, names_in, save
from benchmarks.bugs.catalogue import PAIRS
from benchmarks.bugs.exam import Done, Lane, examine
from benchmarks.bugs.table import table, totals

GELU = PAIRS[7]
LINES = ["pow and add_ run 12 times more a call: operators.py:160", "tanh is new", "erf"]

COMPARED = {
    "verdict": "regression",
    "energy_j": 3.0,
    "duration_s": 0.02,
    "baseline": {"energy_j": 2.0, "ratio": 1.5, "ratio_ci": [1.45, 1.55], "duration_ratio": 2.0},
    "counts_comparison": {"weight_ratio": 1.2, "rises": {"weighted work": [1.0, 1.2]}, "lines": LINES},
}


MACHINE = {"key": "h100", "fixed": {"gpu_0": "H100", "cpu_count": "16"}, "shown": {"torch": "2.11.0"}}


class FakeRuns:
    """Commands that only write what they would have found."""

    def __init__(self, *done: Done, tests: Sequence[object] = (COMPARED,)) -> None:
        self._done, self._tests = list(done), tests
        self.commands: list[tuple[Sequence[str], Mapping[str, str]]] = []

    def __call__(self, words: Sequence[str], variables: Mapping[str, str]) -> Done:
        self.commands.append((words, variables))
        outs = [word.partition("=")[2] for word in words if word.startswith(("--out=", "--energy-out="))]
        for out in outs:
            run = {"tests": self._tests, "machine": MACHINE}
            Path(out).write_text(json.dumps(run), encoding="utf-8")
        return self._done.pop(0)


def row(test: Mapping[str, object] = COMPARED, *, exit_status: int = 1) -> Answer:
    blank = Answer(
        number=8, name=GELU.name, report=GELU.report, device="cuda", method="ab", exit_status=exit_status
    )
    return answered(blank, GELU.guilty, test)


class TestAnswers:
    """What of a run's document counts."""

    def test_both_sides_are_in_a_row(self) -> None:
        """Seconds of the mended side are those of the other over their ratio."""
        answer = row()
        assert answer.energies_j == (2.0, 3.0)
        assert answer.durations_s == (0.01, 0.02)
        assert answer.ratio_ci == (1.45, 1.55)
        assert answer.rises == {"weighted work": (1.0, 1.2)}

    @pytest.mark.parametrize(
        ("exit_status", "verdict", "is_red"),
        [(1, "regression", True), (0, "regression", False), (1, "void", False), (0, "pass", False)],
    )
    def test_red_is_a_regression_that_fails_the_command(
        self,
        exit_status: int,
        verdict: str,
        is_red: bool,  # noqa: FBT001  # a column of the table above
    ) -> None:
        """A test that failed for another reason, or a regression that failed nothing, is none."""
        assert row(COMPARED | {"verdict": verdict}, exit_status=exit_status).is_red is is_red

    def test_only_the_first_two_lines_name(self) -> None:
        """The third line is further down than a reader looks."""
        assert names_in(LINES, ("erf",)) == ()
        assert names_in(LINES, ("TANH", "mul")) == ("TANH",)

    def test_a_name_is_a_whole_word(self) -> None:
        """`add` isn't in `add_`, nor `time` in `times`."""
        assert names_in(LINES, ("add", "time", "12 times")) == ("12 times",)

    def test_what_is_saved_is_loaded(self, tmp_path: Path) -> None:
        """Lanes write a file each, and one table is made of all."""
        save([row()], tmp_path / "new" / "out.json")
        loaded = load(tmp_path / "new" / "out.json")
        assert [(one.name, one.ratio, one.is_red, one.is_named) for one in loaded] == [
            ("unfused-gelu", 1.5, True, True)
        ]

    def test_a_file_from_before_a_field_was_there_is_read(self, tmp_path: Path) -> None:
        """What isn't in it is absent."""
        path = tmp_path / "out.json"
        save([row()], path)
        saved = json.loads(path.read_text(encoding="utf-8"))
        del saved["answers"][0]["machine"]
        path.write_text(json.dumps(saved), encoding="utf-8")
        assert load(path)[0].machine == {}


class TestExamine:
    """Which commands judge a pair."""

    def test_a_gpu_compares_both_sides_in_turns(self) -> None:
        """One tree, whose second side has the bug's number in its environment."""
        runs = FakeRuns(Done(exit_status=1, output=""))
        answer = examine(GELU, "cuda", runs)
        ((words, variables),) = runs.commands
        assert words[:4] == ["-m", "pytest_energy", "ab", "."]
        assert "--env=BENCH_BUGS=8" in words
        assert variables == {}
        assert answer.machine == {"gpu_0": "H100", "torch": "2.11.0"}
        assert (answer.method, answer.is_red, answer.names[0]) == ("ab", True, "pow")

    def test_a_cpu_holds_counts_against_those_of_the_mended_side(self) -> None:
        """The baseline is the mended side's, and the bug's side only checks."""
        runs = FakeRuns(Done(exit_status=0, output=""), Done(exit_status=1, output=""))
        assert examine(GELU, "cpu", runs).is_red
        (stored, no_bug), (checked, with_bug) = runs.commands
        assert "--energy-baseline=add" in stored
        assert "--energy-baseline=add" not in checked
        assert (no_bug, with_bug) == ({}, {"BENCH_BUGS": "8"})

    def test_a_baseline_that_cannot_be_stored_is_no_red_bug(self) -> None:
        """A mended side that fails by itself fails the exam's row, not the bug."""
        runs = FakeRuns(Done(exit_status=1, output="why"))
        answer = examine(GELU, "cpu", runs)
        assert (answer.verdict, answer.is_red, answer.output) == (None, False, ("why",))

    def test_a_command_without_an_answer_shows_what_it_printed(self) -> None:
        """Nothing is made up where no document was written."""
        answer = examine(GELU, "cuda", FakeRuns(Done(exit_status=2, output="no git"), tests=()))
        assert (answer.verdict, answer.energies_j, answer.output) == (None, None, ("no git",))


class TestLane:
    """Several exams at once, each on a card of its own."""

    def test_lanes_share_all_pairs_of_one_card(self) -> None:
        """Each comes once; those of two cards are left to a run without lanes."""
        numbers = [pair.number for lane in range(4) for pair in Lane.of(f"{lane}/4").share(PAIRS, "cuda")]
        assert sorted(numbers) == [number for number in range(1, 17) if number != 7]

    def test_without_lanes_all_are_run(self) -> None:
        """Also those that take two cards."""
        assert Lane().share(PAIRS, "cuda") == list(PAIRS)

    def test_a_cpu_has_no_cards_to_run_out_of(self) -> None:
        """There a lane takes the pair of two processes as well."""
        assert [pair.number for pair in Lane.of("2/4").share(PAIRS, "cpu")] == [3, 7, 11, 15]

    @pytest.mark.parametrize("text", ["", "1", "4/4", "-1/4", "a/b", "1/0"])
    def test_what_is_no_lane_is_refused(self, text: str) -> None:
        """The first is 0."""
        with pytest.raises(argparse.ArgumentTypeError, match="give NUMBER/COUNT"):
            Lane.of(text)


class TestTable:
    """The answers for a reader."""

    def test_a_row_holds_both_sides_and_the_names(self) -> None:
        """Joules, seconds, ratio, verdict, lines, names."""
        assert table([row()], with_head=False) == (
            "| 8 | unfused-gelu | GPT-2 in transformers against vLLM | 2 | 3 | 0.01 | 0.02 "
            "| 1.500 (1.450 to 1.550) | regression | "
            "pow and add_ run 12 times more a call: operators.py:160<br>tanh is new | pow, tanh |\n"
        )

    def test_where_nothing_measured_there_are_no_columns_of_joules(self) -> None:
        """The ratio is that of weighted work."""
        unmeasured = {"verdict": "regression", "counts_comparison": COMPARED["counts_comparison"]}
        text = table([row(unmeasured)])
        assert "joules" not in text
        assert "| 8 | unfused-gelu | GPT-2 in transformers against vLLM | 1.200 | regression |" in text

    def test_absent_is_not_zero(self) -> None:
        """A row without joules beside one that has them shows none."""
        unmeasured = {"verdict": "regression", "counts_comparison": COMPARED["counts_comparison"]}
        assert "| - | - | - | - | - | regression |" in table([row(), row(unmeasured)])

    def test_totals_count_what_is_red_and_what_is_named(self) -> None:
        """Of all rows."""
        assert totals([row(), row(exit_status=0)]) == "1 of 2 red, 2 named in the first two lines"
