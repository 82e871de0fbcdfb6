"""The table of a run of pairs."""

from typing import Any

from benchmarks.llm.pairs import table

SIDE: dict[str, Any] = {"p99_s": {"ttft": 0.1, "tpot": 0.02, "e2e": 1.0}, "slo_share": 1.0, "drafts": None}


def share(value: float) -> dict[str, float]:
    return {"value": value, "lower": value - 0.1, "upper": value + 0.02}


def row(**changes: Any) -> dict[str, Any]:
    same = {"same": share(0.5), "by_position": share(0.75), "prefix_length": 12.0}
    drafts = {"drafts": 10, "drafted_tokens": 40, "accepted_tokens": 30}
    return {
        "pair": "ngram",
        "size": "8B",
        "provenance": "measured",
        "ratio": share(0.8),
        "agreement": same,
        "ceiling": same | {"same": share(0.9), "prefix_length": 40.0},
        "absent": {},
        "reference": SIDE | {"energy_per_request_j": 10.0},
        "candidate": SIDE | {"energy_per_request_j": 8.0, "drafts": drafts},
        **changes,
    }


def test_a_row_for_each_pair_and_a_line_for_what_is_missing() -> None:
    """Intervals beside the values, the reference first; an estimate is marked; a missing ratio is a dash."""
    late = {"pair_energy_ratio": "fp8 is saturated"}
    text = table(
        [
            row(),
            row(pair="fp8", provenance="estimated", ratio=None, agreement=None, ceiling=None, absent=late),
            {"pair": "int4", "not_run": "20 s were left"},
        ]
    )
    lines = text.splitlines()
    assert lines[2] == (
        "| ngram (8B) | 10 | 8 | 0.800 [0.700, 0.820] | 50% [40%, 52%] | 90% [80%, 92%] | 75% [65%, 77%] "
        "| 12.0 of 40.0 | 75% | 100%, 100% | 100, 100 ms | 20, 20 ms |"
    )
    assert lines[3].startswith("| fp8 (8B) | ~10 | ~8 | - | - | - | - | - |")
    assert "fp8: no pair_energy_ratio: fp8 is saturated" in lines
    assert "int4: not run: 20 s were left" in lines
