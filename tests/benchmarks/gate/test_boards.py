"""Sessions of the fixed suite are kept by board, and none is written over."""

import json
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from benchmarks.cnn.planting import plant_from
from benchmarks.gate.boards import Board, command, main, next_path
from pytest_energy.cli.files import read_run

SESSION = Path(__file__).parents[3] / "docs" / "results" / "sessions" / "h100" / "board-d-2.json"
OURS = EntryPoint(name="energy", value="pytest_energy.plugin", group="pytest11")


class FakeRunner:
    """Writes *text* where the command line wants the document, as pytest would."""

    def __init__(self, text: str, *, status: int = 0) -> None:
        self._text, self._status = text, status
        self.words: Sequence[str] = ()

    def __call__(self, words: Sequence[str]) -> int:
        self.words = words
        (out,) = (word.partition("=")[2] for word in words if word.startswith("--energy-out="))
        Path(out).write_text(self._text, encoding="utf-8")
        return self._status


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    """A session on an H100 whose UUID begins with 5a303549; runs go below *tmp_path*."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return FakeRunner(SESSION.read_text(encoding="utf-8"))


class TestCommand:
    """What pytest is asked to do."""

    def test_a_copy_that_is_not_installed_is_named(self) -> None:
        """The plugin comes in once: by its entry point, or else by name."""
        for points, named in ((), True), ((OURS,), False):
            words = command(("t.py",), None, Path("run.json"), points)
            assert ("pytest_energy.plugin" in words) is named

    def test_the_suite_its_plant_and_no_baseline(self) -> None:
        """The gpu profile, held against nothing, with its yardstick, and with the plant as it was given."""
        words = command(("a.py", "b.py"), plant_from("sleep:4"), Path("run.json"), ())
        assert words[-7:] == [
            "a.py",
            "b.py",
            "--bench-profile=gpu",
            "--energy-baseline=off",
            "--energy-yardstick=on",
            "--energy-out=run.json",
            "--bench-plant=sleep:4",
        ]


class TestPath:
    """Where a session goes."""

    @pytest.mark.parametrize(
        ("model", "folder"),
        [
            ("NVIDIA H100 80GB HBM3", "h100"),
            ("NVIDIA A100-SXM4-40GB", "a100"),
            ("Tesla T4", "t4"),
            ("NVIDIA GeForce RTX 4090", "4090"),
            ("Some Card", "some-card"),
        ],
    )
    def test_a_folder_for_each_model(self, model: str, folder: str) -> None:
        """The part of the name that holds a digit, or all of it."""
        assert Board(model=model, name="x").folder == folder

    def test_numbers_go_on(self, tmp_path: Path) -> None:
        """One above the highest of this board, planted sessions counted; other boards don't count."""
        board = Board(model="Tesla T4", name="ab")
        (tmp_path / "t4").mkdir()
        for name in ("board-ab-1.json", "board-ab-4-sleep4.json", "board-cd-9.json", "board-ab-plus8.json"):
            (tmp_path / "t4" / name).touch()
        assert next_path(tmp_path, board, None) == tmp_path / "t4" / "board-ab-5.json"
        planted = next_path(tmp_path, board, plant_from("active:2.5"))
        assert planted == tmp_path / "t4" / "board-ab-5-active2.5.json"


class TestMain:
    """A run becomes a kept session, or nothing."""

    def test_an_unchanged_session_is_the_runs_document(self, tmp_path: Path, runner: FakeRunner) -> None:
        """Byte for byte, named by the start of the board's UUID; the next one is the second."""
        for number in (1, 2):
            assert main(["--folder", str(tmp_path / "kept")], runner) == 0
            kept = tmp_path / "kept" / "h100" / f"board-5a303549-{number}.json"
            assert kept.read_bytes() == SESSION.read_bytes()
        assert "benchmarks/cnn/test_inference.py" in runner.words

    def test_a_planted_session_says_so(
        self, tmp_path: Path, runner: FakeRunner, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The notes name the plant; rounds, machine and date are the run's, and it can be read as a run."""
        words = ["--folder", str(tmp_path), "--plant", "active:8", "--tests", "t.py", "--board", "q"]
        assert main(words, runner) == 0
        kept = tmp_path / "h100" / "board-q-1-active8.json"
        assert capsys.readouterr().out == f"kept as {kept}\n"
        document, run = (json.loads(path.read_text(encoding="utf-8")) for path in (kept, SESSION))
        assert document["run_notes"] == ["planted: active:8"]
        assert (document["created"], document["machine"]) == (run["created"], run["machine"])
        assert [test["rounds"] for test in document["tests"]] == [test["rounds"] for test in run["tests"]]
        assert read_run(kept).judgements == read_run(SESSION).judgements

    def test_a_failed_run_is_not_kept(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Its status and where its document lies are told."""
        runner = FakeRunner("{}", status=1)
        assert main(["--folder", str(tmp_path / "kept")], runner) == 2
        assert "pytest ended with 1: not kept" in capsys.readouterr().err
        assert not (tmp_path / "kept").exists()

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('"gpu_uuid": ', '"gpu_serial": ', "names no GPU with its UUID"),
            ('"measured"', '"estimated"', "joules were not measured"),
        ],
    )
    def test_a_run_of_no_board_is_not_kept(  # noqa: PLR0917  # pytest hands them in by name
        self,
        tmp_path: Path,
        runner: FakeRunner,
        capsys: pytest.CaptureFixture[str],
        old: str,
        new: str,
        message: str,
    ) -> None:
        """A session without a board, or of estimates, is nothing to judge the gate by."""
        other = FakeRunner(SESSION.read_text(encoding="utf-8").replace(old, new))
        assert main(["--folder", str(tmp_path / "kept")], other) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "kept").exists()
        assert main(["--folder", str(tmp_path / "kept")], runner) == 0
