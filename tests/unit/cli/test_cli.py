"""The command `pytest-energy`: what it prints, and with which status it ends."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--help"],
            ["doctor", "ab", "show", "export", "compare", "accept", "baselines", "COMMAND", "pytest --help"],
        ),
        (["doctor", "--help"], ["--json", "under a load of 2 s", "0 if something measures"]),
        (["show", "--help"], ["RUN.json", "written by --energy-out=RUN.json", "--width", "default: 100"]),
        (["export", "--help"], ["RUN.json", "OUT", ".json, .rounds.csv, .csv, .md", "otlp:http://HOST:4318"]),
        (["compare", "--help"], ["A.json", "B.json", "one session", "--tolerance", "1 if a test fails"]),
        (["accept", "--help"], ["--test ID", "default: baselines in the working folder", "energy_baselines"]),
        (["baselines", "--help"], ["list", "validate", "prune", "diff"]),
        (["baselines", "prune", "--help"], ["--yes", "--keep N", "without it, nothing is removed", "pinned"]),
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
        (["export"], "required: RUN.json"),
        (["export", "run.json", "otlp:x"], "must be an http or https URL"),
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


def test_the_version_is_the_distributions(cli: Cli) -> None:
    """--version says which release is installed."""
    assert cli("--version") == (0, f"pytest-energy {version('pytest-energy')}\n", "")


def test_a_copy_that_is_not_installed_has_no_version(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder on the path every command runs, and --version says that nothing is installed."""

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("pytest_energy.cli.version", absent)
    assert cli("--version") == (0, "pytest-energy (not installed)\n", "")


def test_the_package_runs_as_the_command_does() -> None:
    """`python -m pytest_energy` is the command: the same output, the same status."""
    command = [sys.executable, "-m", "pytest_energy", "show", "none.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("pytest-energy: none.json can't be read: ")


def test_only_the_module_of_a_command_is_imported() -> None:
    """A command that isn't asked for costs no import."""
    code = (
        "import sys\n"
        "from pytest_energy.cli import parser\n"
        "parser(['schema'])\n"
        "print(*sorted(name for name in sys.modules if name.startswith('pytest_energy.cli.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  # our own
    assert done.stdout.split() == [
        f"pytest_energy.cli.{name}" for name in ("arguments", "files", "schema", "words")
    ]
