"""Settings of one model in pairs: joules per request, answers, latencies.

    python -m benchmarks.llm.pairs OUT --size 8B [--pairs fp8,int8,ngram] [--most-s 420]
    python -m benchmarks.llm.pairs OUT --size 12M --device cpu --pairs int8,ngram
    python -m benchmarks.llm.pairs --table OUT/pairs.json ...

The reference is the model in bfloat16. It stays in memory; each other setting is loaded beside it, takes
turns with it under the same load, and ends. The weights are random (`benchmarks.llm.weights`), in the same
draw for all settings. OUT gets `pairs.json`, written after each pair, and the run's `run.json` and `run.html`
in the end. A run that has no time left for another pair says so in its row.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.llm.pairs_suite import CANDIDATES, VARIABLE, Plan

ROOT = Path(__file__).resolve().parents[2]
SUITE = "benchmarks/llm/pairs_suite.py"

_CARD = Plan(
    size="8B",
    pairs=(),
    weights="",
    rows="",
    is_eager=False,
    rate=16.0,
    duration_s=5.0,
    prompt_tokens=512,
    output_tokens=48,
    max_batch=64,
    share=0.42,
    cores=0,
    slo={"ttft_s": 0.5, "tpot_s": 0.05, "least_share": 0.95},
    deadline_s=0.0,
)
_TINY = replace(
    _CARD,
    size="12M",
    is_eager=True,
    rate=2.0,
    prompt_tokens=64,
    output_tokens=16,
    max_batch=16,
    share=None,
    slo={"ttft_s": 20.0, "tpot_s": 5.0, "least_share": 0.95},
)
_RATES = {"1B": 32.0}  # twice as many requests as of 8B keep a card as busy
_END_S = 30.0  # to end an engine and to write the reports


def main() -> int:
    """Run the pairs, or print a table of earlier ones."""
    arguments = _arguments()
    if arguments.table:
        print(table(_rows(arguments.table)))  # noqa: T201
        return 0
    began_s = time.time()
    out = Path(arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    rows = out / "pairs.json"
    rows.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as weights:
        plan = replace(
            _CARD if arguments.device == "cuda" else _TINY,
            size=arguments.size,
            pairs=tuple(arguments.pairs.split(",")),
            weights=weights,
            rows=str(rows),
            cores=arguments.cores,
            deadline_s=began_s + arguments.most_s - _END_S,
        )
        plan = replace(plan, rate=_RATES.get(plan.size, plan.rate))
        _write_weights(plan, arguments.device, arguments.spread)
        status = _run(plan, out, arguments.device, began_s + arguments.most_s - time.time())
    print(table(_rows([rows])) if rows.exists() else "no pair was run")  # noqa: T201
    print(f"{time.time() - began_s:.0f} s, exit status of pytest {status}; {out}")  # noqa: T201
    return 0 if rows.exists() else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", help="folder for the results")
    parser.add_argument("--size", default="8B")
    parser.add_argument("--pairs", default="fp8,ngram,int8,same", help=f"of {', '.join(CANDIDATES)}")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--most-s", type=float, default=420.0, help="seconds for everything")
    parser.add_argument(
        "--spread", type=float, default=0.02, help="deviation of the weights: 0.002 for answers that repeat"
    )
    parser.add_argument("--scratch", help="folder for the weights: 16 GB for 8B, 9 for int8, 6 for int4")
    parser.add_argument("--cores", type=int, default=0, help="physical cores of each of vLLM's processes")
    parser.add_argument("--table", nargs="+", metavar="PAIRS.json")
    arguments = parser.parse_args()
    if not (arguments.out or arguments.table):
        parser.error("OUT or --table is required")
    if unknown := set(arguments.pairs.split(",")) - CANDIDATES.keys():
        parser.error(f"no such pair: {', '.join(sorted(unknown))}; there are {', '.join(CANDIDATES)}")
    return arguments


def _write_weights(plan: Plan, device: str, spread: float) -> None:
    """In processes of their own, so that nothing of them is left on the card."""
    positions = str(plan.prompt_tokens + plan.output_tokens)
    for form in dict.fromkeys(("bf16", *(CANDIDATES[pair].form for pair in plan.pairs))):
        command = f"{plan.weights}/{form}", plan.size, positions, form, device, str(spread)
        words = [sys.executable, "-m", "benchmarks.llm.weights", *command]
        subprocess.run(words, cwd=ROOT, check=True)  # noqa: S603 (our own words)


def _run(plan: Plan, out: Path, device: str, most_s: float) -> int:
    estimates = ["--energy-estimates=gate"] if device == "cpu" else []
    command = [
        *(sys.executable, "-m", "pytest", SUITE, "-q", "-p", "no:cacheprovider", "--energy-report"),
        *(f"--energy-out={out / 'run.json'}", "--energy-baseline=off"),
        *([f"--energy-out={out / 'run.html'}"] if find_spec("jinja2") else []),
        *estimates,
    ]
    tiny = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"} if device == "cpu" else {}
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        **tiny,
        VARIABLE: json.dumps(asdict(plan)),
    }
    pytest = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603 (our own words)
    try:
        return pytest.wait(max(most_s - _END_S, 1.0))
    except subprocess.TimeoutExpired:
        pytest.terminate()  # it ends its engines, and writes what it has
    try:
        return pytest.wait(_END_S)
    except subprocess.TimeoutExpired:
        pytest.kill()
        return pytest.wait()


def _rows(paths: Sequence[str | Path]) -> list[dict[str, Any]]:
    return [row for path in paths for row in json.loads(Path(path).read_text())]


# ---- the table ----

_HEADS = (
    "pair",
    "J/request, bf16",
    "J/request",
    "ratio [95 %]",
    "same answers [95 %]",
    "bf16 with itself",
    "same tokens",
    "same start",
    "accepted",
    "within SLO",
    "ttft p99",
    "tpot p99",
)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown; each cell of two values has the reference's first."""
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'--|' * len(_HEADS)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows if "not_run" not in row]
    notes = [f"{row['pair']}: not run: {row['not_run']}" for row in rows if "not_run" in row]
    notes += [
        f"{row['pair']}: no {name}: {why}" for row in rows for name, why in row.get("absent", {}).items()
    ]
    return "\n".join((*lines, "", *notes))


def _cells(row: Mapping[str, Any]) -> Iterator[str]:
    sides = row["reference"], row["candidate"]
    yield f"{row['pair']} ({row['size']})"
    for side in sides:
        energy_j = side["energy_per_request_j"]
        origin = "~" if row["provenance"] == "estimated" else ""
        yield "-" if energy_j is None else f"{origin}{energy_j:.3g}"
    yield _interval(row["ratio"], "{:.3f}")
    agreement, ceiling = row["agreement"] or {}, row["ceiling"] or {}
    yield _interval(agreement.get("same"), "{:.0%}")
    yield _interval(ceiling.get("same"), "{:.0%}")
    yield _interval(agreement.get("by_position"), "{:.0%}")
    yield f"{agreement['prefix_length']:.1f} of {ceiling['prefix_length']:.1f}" if agreement else "-"
    drafts = row["candidate"]["drafts"]
    yield (
        f"{drafts['accepted_tokens'] / drafts['drafted_tokens']:.0%}"
        if drafts and drafts["drafted_tokens"]
        else "-"
    )
    yield ", ".join(f"{side['slo_share']:.0%}" for side in sides)
    for name in ("ttft", "tpot"):
        yield ", ".join(f"{1000 * side['p99_s'].get(name, float('nan')):.0f}" for side in sides) + " ms"


def _has_drafts(drafts: Mapping[str, int] | None) -> bool:
    return drafts is not None and drafts["drafted_tokens"] > 0


def _interval(interval: Mapping[str, float] | None, form: str) -> str:
    if interval is None:
        return "-"
    value, lower, upper = (form.format(interval[end]) for end in ("value", "lower", "upper"))
    return f"{value} [{lower}, {upper}]"


if __name__ == "__main__":
    sys.exit(main())
