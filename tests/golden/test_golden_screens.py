"""What a whole run shows. `ENERGY_GOLDEN=accept` writes what is shown now; then read the diff."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_energy.judgement import Verdict
from pytest_energy.report import to_terminal, view
from tests.builders import comparison, judgement
from tests.fakes.pty_terminal import run_in_terminal
from tests.plugin.conftest import Project, project

__all__ = ["project"]

FOLDER = Path(__file__).parent / "screens"
OWN = ("--energy-trace=off", "-p", "no:cacheprovider")

TESTS = """
NAMES = ["alpha", "resnet18", "a-much-longer-name-of-a-network", "b"]

@pytest.mark.parametrize("name", NAMES)
@pytest.mark.energy(group="training")
def test_training(energy, name):
    energy.measure(sum, [1, 2])

@pytest.mark.parametrize("number", range(22))
def test_sort(energy, number):
    energy.measure(sum, [1, 2])
"""
NAMES = [
    *(f"test_training[{name}]" for name in ("alpha", "resnet18", "a-much-longer-name-of-a-network", "b")),
    *(f"test_sort[{number}]" for number in range(22)),
]


def _check(name: str, lines: list[str]) -> None:
    path, text = FOLDER / f"{name}.txt", "\n".join(lines) + "\n"
    if os.environ.get("ENERGY_GOLDEN") == "accept":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{name} differs; `make golden` accepts what is shown"


def _plain(lines: Iterable[str]) -> list[str]:
    """*lines* without what another machine or day has otherwise: versions, paths, times."""
    head = ("platform ", "rootdir: ", "plugins: ", "cachedir: ", "hypothesis profile", "asyncio: ")
    text = "\n".join(line for line in lines if not line.startswith(head) and "summary written to" not in line)
    # On a narrow terminal the list of plugins has several lines.
    text = re.sub(r"(?ms)(\A.*?test session starts =+\n).*?^(?=collect)", r"\1", text)
    text = re.sub(r"(?ms)^machine$.*?^$", "(machine)\n", text)
    return re.sub(r"=* ?(26 passed) in [\d.]+s ?=*", r"\1 in (time)", text).rstrip("\n").split("\n")


@pytest.fixture
def suite(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """26 tests with replayed joules, each of its own size."""
    project.write(TESTS)
    project.replay({name: [n + 1.0, n + 1.01, n + 0.99] for n, name in enumerate(NAMES)})
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "PY_COLORS", "CI"):
        monkeypatch.delenv(name, raising=False)
    return project


@pytest.mark.parametrize(
    ("name", "columns", "options"),
    [
        ("piped_80", 80, ("--energy-report",)),
        ("piped_120", 120, ("--energy-report",)),
        ("quiet", 80, ("--energy-report", "-q")),
        ("verbose", 80, ("--energy-report", "-v")),
        ("without_report", 80, ("--energy-baseline=off",)),
    ],
)
def test_26_tests_in_a_pipe(
    suite: Project, name: str, columns: int, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By width and verbosity; no line is longer than the screen is wide."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = _plain(suite.run(*OWN, *options).result.outlines)
    assert max(map(len, lines)) <= columns
    _check(f"26_{name}", lines)


def test_26_tests_in_two_processes(suite: Project) -> None:
    """Under xdist the report is that of one process."""
    run = suite.run(*OWN, "--energy-report", "-n2", subprocess=True)
    _check("26_xdist", [line for line in _plain(run.result.outlines) if "worker" not in line])


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_26_tests_on_a_terminal(suite: Project, columns: int, rows: int) -> None:
    """pytest's dots and percentages are whole when our line has come and gone, and no line is too long."""
    names = ("PATH", "HOME", "PYTHONPATH", "TMPDIR")
    environ = {name: os.environ[name] for name in names if name in os.environ} | {"TERM": "xterm"}
    sensors = f"--energy-sensors=replay:{suite.path / 'replay.json'}"
    command = [sys.executable, "-m", "pytest", "--energy-report", *OWN, sensors]
    shown = run_in_terminal(command, rows=rows, columns=columns, folder=suite.path, environ=environ)
    assert shown.returncode == 0
    ours = [line for screen in shown.screens for line in screen if line.startswith("[")]
    assert {line.split("]")[0] for line in ours} == {f"[{number}/26" for number in range(1, 27)}
    dots = [line for screen in shown.screens for line in screen if line.startswith("test_work.py ")]
    assert all(re.fullmatch(r"test_work\.py \.*( +\[100%\])?", line) for line in dots)
    assert not any(line.startswith("[") for line in shown.lines)
    _check(f"26_terminal_{columns}x{rows}", _plain(shown.lines))


@pytest.mark.parametrize("width", [80, 120])
def test_1000_tests(width: int) -> None:
    """Those that need a look, those that use most, and the number of the rest."""
    verdicts = {7: Verdict.REGRESSION, 20: Verdict.VOID, 600: Verdict.INCONCLUSIVE}
    run = view.of(
        [
            judgement(
                test_id=f"tests/test_model_{n % 9}.py::test_forward[network-{n}-batch-size-{n % 4}]",
                energy_j=float(n + 1),
                verdict=verdicts.get(n, Verdict.PASS),
                reason=f"the reason of number {n}",
                compared=None if n == 20 else comparison(1.3 if n == 7 else 1.01),
                quality=[f"other programs used {n % 70} % of the CPU"],
            )
            for n in range(1000)
        ]
    )
    _check(f"1000_{width}", to_terminal.render(run, width=width, is_full=False).split("\n"))
