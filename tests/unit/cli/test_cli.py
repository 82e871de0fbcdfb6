"""The command `pytest-energy`: what it prints, and with which status it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_energy import doctor
from pytest_energy.doctor import Report
from pytest_energy.report import formats
from tests.fakes.sessions import gpu_session
from tests.unit.cli.conftest import Cli, written

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def run_json(tmp_path: Path) -> Path:
    """A run, as --energy-out writes it."""
    return written(tmp_path / "run.json", *gpu_session())


# doctor


def report(*gates: str) -> Report:
    return Report(
        machine_key="h100_nvml",
        sensors=(),
        permissions=(),
        gates=gates,
        gates_not={"dram": "no channel here"},
    )


@pytest.mark.parametrize(("gates", "expected"), [(("gpu:0",), 0), ((), 1)])
def test_doctor_ends_with_1_where_nothing_measures(
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
    gates: tuple[str, ...],
    expected: int,
) -> None:
    """The status says whether anything measures; the text says it too."""
    monkeypatch.setattr(doctor, "diagnose", lambda: report(*gates))
    status, out, err = cli("doctor")
    assert status == expected
    assert out.startswith("This machine measures" if gates else "Nothing measures here")
    assert not err


@pytest.mark.parametrize(("gates", "expected"), [(("gpu:0",), 0), ((), 1)])
def test_doctor_speaks_json(
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
    gates: tuple[str, ...],
    expected: int,
) -> None:
    """With --json the output is one document, and the status is the same."""
    monkeypatch.setattr(doctor, "diagnose", lambda: report(*gates))
    status, out, _ = cli("doctor", "--json")
    assert status == expected
    document = json.loads(out)
    assert document["measures"] is bool(gates)
    assert document["gates"] == list(gates)


# show


def test_show_is_what_the_run_showed(cli: Cli, run_json: Path) -> None:
    """The summary of a run read again is letter by letter the one that the run printed."""
    status, out, _ = cli("show", run_json)
    assert status == 0
    assert out == (GOLDEN / "gpu_100.txt").read_text(encoding="utf-8")


def test_show_is_as_wide_as_asked(cli: Cli, run_json: Path) -> None:
    """--width sets the columns."""
    _, out, _ = cli("show", run_json, "--width", "80")
    assert out == (GOLDEN / "gpu_80.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", ["79", "-80", "wide", "1e3"])
def test_show_refuses_a_width_that_is_none(cli: Cli, run_json: Path, width: str) -> None:
    """A width that nothing fits in, or that is no number, is refused with the least."""
    status, _, err = cli("show", run_json, f"--width={width}")
    assert status == 2
    assert f"'{width}' is no number of columns from 80 on" in err


def test_show_needs_a_file_that_is_there(cli: Cli, tmp_path: Path) -> None:
    """A missing file is named, with what to give instead; no traceback."""
    status, out, err = cli("show", tmp_path / "none.json")
    assert (status, out) == (2, "")
    assert err.startswith(f"pytest-energy: {tmp_path}/none.json can't be read: ")
    assert err.endswith("give a file written by --energy-out\n")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 99, "tests": []}', b'{"format": 1}', b"\xff\xfe"],
    ids=["empty", "cut", "a list", "a newer format", "no tests", "no text"],
)
def test_show_refuses_what_is_no_run(cli: Cli, tmp_path: Path, content: bytes) -> None:
    """A file that holds no run is named with what is wrong in it; no traceback."""
    path = tmp_path / "run.json"
    path.write_bytes(content)
    status, out, err = cli("show", path)
    assert (status, out) == (2, "")
    assert err.startswith("pytest-energy: ")
    assert str(path) in err


# export


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_export_writes_what_the_run_would_have(cli: Cli, run_json: Path, tmp_path: Path, suffix: str) -> None:
    """Each format comes out of the JSON as it came out of the run, but for the time of writing."""
    out_path = tmp_path / "folder" / f"run{suffix}"
    status, out, _ = cli("export", run_json, out_path)
    assert (status, out) == (0, f"written to {out_path}\n")
    written = _without_time(out_path.read_text(encoding="utf-8"))
    assert written == _without_time((GOLDEN / f"gpu{suffix}").read_text(encoding="utf-8"))


def _without_time(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if '"created"' not in line and "created" not in line)


def test_export_needs_a_suffix_that_it_knows(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """An unknown suffix is told with those there are, and nothing is written."""
    status, _, err = cli("export", run_json, tmp_path / "run.xls")
    assert status == 2
    assert ".csv" in err
    assert not (tmp_path / "run.xls").exists()


def test_export_needs_a_place_to_write(cli: Cli, run_json: Path, tmp_path: Path) -> None:
    """A file that can't be written is named with the system's reason."""
    (tmp_path / "file").touch()
    status, _, err = cli("export", run_json, tmp_path / "file" / "run.csv")
    assert status == 2
    assert f"{tmp_path}/file/run.csv can't be written" in err


# Everything else


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--help"],
            ["doctor", "ab", "show", "export", "compare", "accept", "baselines", "COMMAND", "pytest --help"],
        ),
        (["doctor", "--help"], ["--json", "under a load of 2 s", "1 where nothing does"]),
        (["show", "--help"], ["RUN.json", "written by --energy-out=RUN.json", "--width", "default: 100"]),
        (["export", "--help"], ["RUN.json", "OUT", ".json, .csv, .md or .html"]),
        (["compare", "--help"], ["A.json", "B.json", "one session", "--tolerance", "1 where a test fails"]),
        (["accept", "--help"], ["--test ID", "default: baselines in the working folder", "energy_baselines"]),
        (["baselines", "--help"], ["list", "validate", "prune", "diff"]),
        (["baselines", "prune", "--help"], ["--yes", "--keep N", "without, nothing is removed", "pinned"]),
    ],
)
def test_help_says_what_to_give(cli: Cli, arguments: list[str], words: list[str]) -> None:
    """Each help names its arguments and what they are."""
    status, out, _ = cli(*arguments)
    assert status == 0
    text = " ".join(out.split())
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "required: COMMAND"),
        (["docter"], "invalid choice: 'docter'"),
        (["show"], "required: RUN.json"),
        (["export", "run.json"], "required: OUT"),
        (["compare", "a.json"], "required: B.json"),
        (["accept"], "required: RUN.json"),
        (["baselines"], "required: COMMAND"),
        (["doctor", "--jsn"], "unrecognized arguments: --jsn"),
    ],
)
def test_what_cant_be_understood_is_status_2(cli: Cli, arguments: list[str], text: str) -> None:
    """A missing or misspelt argument is told beside the usage."""
    status, out, err = cli(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("usage: pytest-energy")
    assert text in err


def test_a_reader_that_has_seen_enough_is_no_error(run_json: Path) -> None:
    """Piped into something that closes the pipe, such as head, the command ends without a traceback."""
    code = "import sys; from pytest_energy.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "show", str(run_json)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603  # our own
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_the_installed_command_runs() -> None:
    """The entry point is there, and asking for help imports nothing heavy."""
    code = (
        "import sys\n"
        "from importlib.metadata import entry_points\n"
        "(point,) = entry_points(group='console_scripts', name='pytest-energy')\n"
        "main = point.load()\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    heavy = {'torch', 'pandas', 'scipy', 'numpy', 'pynvml'} & set(sys.modules)\n"
        "    sys.exit(len(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603  # our own
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: pytest-energy")
