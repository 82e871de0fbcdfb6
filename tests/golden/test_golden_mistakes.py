"""Mistakes and our answers, as pytest prints them at 80 columns. `ENERGY_GOLDEN=accept` writes them anew."""

import os
import re
from pathlib import Path

import pytest

from pytest_energy.cli import main
from tests.unit.cli.conftest import at, written

FOLDER = Path(__file__).parent / "mistakes"

WORKS = """
import functools, pytest

def work(size=3):
    return sum(range(size))

async def fetch():
    return 1

async def stream():
    yield 1

def numbers():
    yield 1

class Fetching:
    async def __call__(self):
        return 1

def fail():
    raise ValueError("the work's own error")
"""

# What each test does, by the mistake in it.
IN_A_TEST = {
    "a result in place of a function": "energy.measure(sorted([2, 1]))",
    "nothing in place of a function": "energy.measure(None)",
    "a coroutine": "energy.measure(fetch())",
    "a coroutine function": "energy.measure(fetch)",
    "an async function in a lambda": "energy.measure(lambda: fetch())",
    "a partial of an async function": "energy.measure(functools.partial(fetch))",
    "an object with an async call": "energy.measure(Fetching())",
    "an async generator function": "energy.measure(stream)",
    "a generator function": "energy.measure(numbers)",
    "the fixture called": "energy(work)",
    "the fixture as a block": "with energy: work()",
    "a misspelt method": "energy.mesure(work)",
    "a method that it never had": "energy.profile(work)",
    "measured twice": "energy.measure(work); energy.measure(work)",
    "a window without a name": "with energy.window(): work()",
    "a number as a window's name": "with energy.window(3): work()",
    "a misspelt samples": "energy.measure(work, sample=3)",
    "no samples": "energy.measure(work, samples=0)",
    "fewer than no samples": "energy.measure(work, samples=-1)",
    "half a sample": "energy.measure(work, samples=2.5)",
    "samples in a text": "energy.measure(work, samples='8')",
    "no model": "energy.model(3, 4)",
    "no model for layers": "energy.layers(3, 4)",
    "a metric without a name": "energy.record('accuracy', 0.9)",
    "a metric in a text": "energy.record(accuracy='0.9')",
    "a time without its unit": "energy.command(['true'], timeout=5)",
    "a command in a text": "energy.command('python train.py')",
    "requests without a rate": "energy.requests(None, [[1, 2]])",
    "an error of the work": "energy.measure(fail)",
    "an error in a window": "with energy.window('load'): fail()",
    "never used": "work()",
}

AT_THE_START = {
    "a misspelt option": ("--energy-tolerence=5%", ""),
    "a tolerance above 1": ("--energy-tolerance=5", ""),
    "a tolerance above 100 %": ("--energy-tolerance=150%", ""),
    "an unknown sensor": ("--energy-sensors=rapI", ""),
    "an unknown suffix": ("--energy-out=run.txt", ""),
    "a mode as the folder": ("--energy-baselines=add", ""),
    "a folder as the mode": ("--energy-baseline=my/baselines", ""),
    "a misspelt ini value": ("-oenergy_tolerence=5%", ""),
    "a replay that is not there": ("--energy-sensors=replay:rnds.json", ""),
    "a misspelt argument": ("", "bugdet='2 J'"),
    "a positional budget": ("", "2"),
    "a budget of another unit": ("", "budget_j='2 W'"),
    "a budget of nothing": ("", "budget_j=0"),
    "a budget in a list": ("", "budget=[2]"),
    "a tolerance of 5": ("", "tolerance=5"),
}

COMMANDS = {
    "a misspelt command": "accpt run.json",
    "a misspelt option": "compare run.json run.json --tolerence=5%",
    "a misspelt file": "show rnu.json",
    "a tolerance above 1": "ab main --tolerance=5",
    "no such test": "accept run.json --test=test_srot",
}


def check(name: str, text: str) -> None:
    path = FOLDER / f"{name}.txt"
    if os.environ.get("ENERGY_GOLDEN") == "accept":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.fixture
def narrow(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose joules would come from a replay that has none, and a screen of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("CI", "BUILD_NUMBER"):  # there pytest keeps its lines whole
        monkeypatch.delenv(name, raising=False)
    (pytester.path / "rounds.json").write_text('{"format": 1, "tests": {}}', encoding="utf-8")
    return pytester


def test_in_a_test(narrow: pytest.Pytester) -> None:
    """No frame of the plugin stands between the test's line and the sentence, nor before the work's error."""
    tests = "".join(
        f"\ndef test_{name.replace(' ', '_').replace(chr(39), '')}(energy):\n    {body}\n"
        for name, body in IN_A_TEST.items()
    )
    narrow.makepyfile(test_mistakes=WORKS + tests)
    run = narrow.runpytest_inprocess("-q", "-Wdefault", "--energy-sensors=replay:rounds.json")
    lines = (line.rstrip() for line in run.outlines if set(line) != {" ", "^"})  # as Python marks the place
    text = "\n".join(lines)
    assert "pytest_energy/" not in text
    assert run.parseoutcomes() == {"failed": len(IN_A_TEST) - 1, "passed": 1, "warnings": 1}
    assert str(narrow.path) not in text
    reports, _, summary = text.partition("\n\n-- Docs:")
    failed = [line for line in summary.splitlines() if line.startswith("FAILED")]
    check("in_a_test", "\n".join([reports, *failed]) + "\n")


def test_at_the_start(narrow: pytest.Pytester) -> None:
    """One sentence, and no test runs."""
    parts = []
    for name, (option, arguments) in AT_THE_START.items():
        narrow.makepyfile(
            test_mistakes=f"import pytest\n@pytest.mark.energy({arguments})\ndef test_work():\n    pass\n"
        )
        run = narrow.runpytest_inprocess("-q", *option.split())
        assert run.ret == pytest.ExitCode.USAGE_ERROR, name
        errors = [line.rstrip() for line in run.errlines if line.strip()]
        parts.append(f"# {name}: {option or f'@pytest.mark.energy({arguments})'}\n" + "\n".join(errors))
    text = "\n\n".join(parts).replace(str(narrow.path), "FOLDER")
    check("at_the_start", re.sub(r"(usage: )\S+( -m pytest)?", r"\1pytest", text) + "\n")


def test_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and status 2."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("CI", "BUILD_NUMBER"):  # there pytest keeps its lines whole
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    written(Path("run.json"), at(1.0, "t.py::test_sort"), at(1.0, "t.py::test_sum"))
    parts = []
    for name, words in COMMANDS.items():
        try:
            status = main(words.split())
        except SystemExit as ended:  # argparse ends the process itself
            status = int(ended.code or 0)
        assert status == 2, name
        parts.append(f"# {name}: pytest-energy {words}\n{capsys.readouterr().err}")
    check("of_the_command", re.sub(r"(choose from )[^)]*", r"\1...", "\n".join(parts)))
