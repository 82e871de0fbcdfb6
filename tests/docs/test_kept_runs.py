"""The runs that are kept in docs/results, judged again: `pytest-energy judge`."""

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.cli import main

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def _document(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else {}


RUNS = [path for path in sorted(RESULTS.rglob("*.json")) if {"format", "tests"} <= _document(path).keys()]


def _judged(path: Path, folder: Path) -> tuple[int, dict[str, Any]]:
    out = folder / "judged.json"
    status = main(["judge", str(path), f"--out={out}", f"--baselines={folder / 'baselines'}"])
    return status, _document(out)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_what_hangs_on_no_baseline_comes_again(path: Path, tmp_path: Path) -> None:
    """Runs that looked at no baseline, or had none: the same verdict of every test, and the same status."""
    run = _document(path)
    status, again = _judged(path, tmp_path)
    pairs = [*zip(run["tests"], again["tests"], strict=True)]
    without = [(was, now) for was, now in pairs if not was["baseline"] and was["verdict"] != "not-comparable"]
    assert [now["verdict"] for _, now in without] == [was["verdict"] for was, _ in without]
    if len(without) == len(pairs):
        assert status == any(was.get("outcome") == "failed" for was, _ in pairs)
    assert [now["rounds"] for _, now in pairs] == [was["rounds"] for was, _ in pairs]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "status"),
    [
        ("h100-first", "h100-planted", "regression", 1),
        ("h100-llm-1b", "h100-llm-1b-eager", "improvement", 0),
        ("h100-llm-1b", "h100-llm-1b-tokens", "not-comparable", 0),
    ],
)
def test_what_was_held_against_an_earlier_run_comes_again(
    before: str, after: str, verdict: str, status: int, tmp_path: Path
) -> None:
    """The earlier run makes the baselines; of the later one every verdict and the status are those it had."""
    folder = f"--baselines={tmp_path / 'baselines'}"
    assert main(["judge", str(RESULTS / f"{before}.json"), "--accept", "--write", folder]) == 0
    ended, again = _judged(RESULTS / f"{after}.json", tmp_path)
    run = _document(RESULTS / f"{after}.json")
    assert (
        {test["verdict"] for test in again["tests"]}
        == {test["verdict"] for test in run["tests"]}
        == {verdict}
    )
    assert ended == status
