"""What two kept sessions differ by."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gate.ratios import Means, changes, main, means_of, ratio_added, summary

SESSIONS = Path(__file__).parents[3] / "docs" / "results" / "sessions" / "h100"
FIRST = Means(energy_j=200.0, duration_s=1.0, active_j=80.0)


def test_each_part_is_a_ratio_of_its_own() -> None:
    """Half as long again at 120 W and 8 J more of work: +34 %, +50 % and +10 %."""
    second = Means(energy_j=268.0, duration_s=1.5, active_j=88.0, alone_j=6.0)
    (change,) = changes({"t": FIRST, "only": FIRST}, {"t": second})
    assert change.ratios == pytest.approx((0.34, 0.5, 0.1))
    assert change.alone == pytest.approx(0.075)
    assert summary([change]) == (
        "| 1 | +34.0% (+34.0%, +34.0%) | +50.0% (+50.0%, +50.0%) | +10.0% (+10.0%, +10.0%) |"
    )


def test_what_products_add_is_summed_over_the_tests() -> None:
    """8 J and 1 J more where they use 6 J and 3 J alone: once what they use alone."""
    first = {"a": FIRST, "b": FIRST}
    second = {
        "a": replace(FIRST, active_j=88.0, alone_j=6.0),
        "b": replace(FIRST, active_j=81.0, alone_j=3.0),
    }
    assert ratio_added(first, second) == pytest.approx(1.0)


def test_without_products_there_is_no_such_ratio() -> None:
    """Nor where a test has none: its noise alone would count."""
    with_products = replace(FIRST, alone_j=6.0)
    assert ratio_added({"t": FIRST}, {"t": FIRST}) is None
    assert ratio_added({"a": FIRST, "b": FIRST}, {"a": with_products, "b": FIRST}) is None


def test_a_kept_session_is_read() -> None:
    """Means of the rounds; the products of one test are its count times what one uses."""
    path = SESSIONS / "board-h-active8.json"
    test = json.loads(path.read_text(encoding="utf-8"))["tests"][1]
    means = means_of(path)[test["id"]]
    assert means.energy_j == pytest.approx(sum(taken["energy_j"] for taken in test["rounds"]) / 5)
    assert means.alone_j == pytest.approx(68 * 0.14184765393048865)
    assert 0 < means.active_j < means.energy_j


def test_a_table_of_tests_and_its_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Nine tests, the row of all, and what the products added."""
    words = [str(SESSIONS / f"board-j-{name}.json") for name in ("1", "active10")]
    assert main([*words, "--tests"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[9].startswith("| 9 | ")
    assert lines[10].startswith("products added 1.0")


def test_sessions_without_a_common_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both files are named."""
    kept = SESSIONS / "board-d-2.json"
    other = tmp_path / "other.json"
    text = kept.read_text(encoding="utf-8")
    other.write_text(text.replace("test_training.py", "test_another.py"), encoding="utf-8")
    assert main([str(kept), str(other)]) == 2
    assert "share no test" in capsys.readouterr().err
