"""Kept rounds at fixed rates, stated at equal amounts by the function that the gate compares by."""

import json
from pathlib import Path

import pytest

from benchmarks.llm.fixed_rate import show

RESULTS = Path(__file__).parents[3] / "docs" / "results"


@pytest.mark.parametrize(
    ("name", "met"),
    [
        ("h100-fixed-rate-8b", "as measured: 3, steps: 3, steps and waits: 3, amounts: 4"),
        ("h200-fixed-rate-1b-second", "as measured: 1, steps: 4, steps and waits: 4, amounts: 5"),
    ],
)
def test_kept_rows_have_the_figures_of_their_page(
    name: str, met: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many rows repeat within 1 %, by what is made equal."""
    show(json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")))
    assert met in capsys.readouterr().out
