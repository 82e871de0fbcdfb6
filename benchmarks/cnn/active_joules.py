"""Active joules of each CNN test on one kind of GPU, out of runs of unchanged code: what `active:P` is of.

    python benchmarks/cnn/active_joules.py docs/results/sessions/h100/board-?-[0-9].json

writes `active_joules.json` beside this file. Active joules of a round are its joules less its seconds at
ready power: E - q(T) t. Ready power q is a straight line over temperature, fitted to the quiet stretches of
the whole run; what a test gets is the mean over the runs.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

FILE = Path(__file__).with_suffix(".json")
DECIMALS = 4
FIT_COUNT = 5  # outliers are left out anew each time
OUTLIER_SDS = 3.0
LEAST_SD_W = 0.3  # a run whose quiet stretches agree to the last digit keeps them all


class UnknownTest(LookupError):
    """A test whose active joules are not in the table, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round of a run says of one GPU."""

    test_id: str
    energy_j: float
    duration_s: float
    ready_power_w: float
    temperature_c: float


def rounds_of(path: Path) -> tuple[Round, ...]:
    """The rounds of *path* that count."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Round(
            test_id=test["id"],
            energy_j=taken["energy_j"],
            duration_s=taken["duration_s"],
            ready_power_w=taken["quiet_power_w"]["gpu:0"],
            temperature_c=taken["temperatures_c"]["gpu:0"],
        )
        for test in document["tests"]
        for taken in test["rounds"]
        if taken["void_because"] is None
    )


def ready_line(rounds: Sequence[Round]) -> tuple[float, float]:
    """Ready power at 0 °C in W, and its rise in W/K, by least squares without outliers.

    Source:
        Outliers are those past three standard deviations, which are 1.4826 median absolute deviations:
        Rousseeuw and Croux 1993, JASA 88(424), section 1.
    """
    temperature_c = np.array([taken.temperature_c for taken in rounds])
    power_w = np.array([taken.ready_power_w for taken in rounds])
    kept = np.ones(len(rounds), dtype=bool)
    at_zero_w, rise_w = 0.0, 0.0
    for _ in range(FIT_COUNT):
        columns = np.column_stack([np.ones(int(kept.sum())), temperature_c[kept]])
        at_zero_w, rise_w = map(float, np.linalg.lstsq(columns, power_w[kept], rcond=None)[0])
        off_w = np.abs(power_w - at_zero_w - rise_w * temperature_c)
        kept = off_w < OUTLIER_SDS * max(1.4826 * float(np.median(off_w[kept])), LEAST_SD_W)
    return at_zero_w, rise_w


def active_joules(rounds: Sequence[Round]) -> dict[str, float]:
    """Active joules of each test of one run: the mean of its rounds."""
    at_zero_w, rise_w = ready_line(rounds)
    by_test = defaultdict[str, list[float]](list)
    for taken in rounds:
        ready_w = at_zero_w + rise_w * taken.temperature_c
        by_test[taken.test_id].append(taken.energy_j - ready_w * taken.duration_s)
    return {test_id: fmean(values) for test_id, values in by_test.items()}


def mean_of(runs: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of each test over the runs that hold it."""
    by_test = defaultdict[str, list[float]](list)
    for run in runs:
        for test_id, active_j in run.items():
            by_test[test_id].append(active_j)
    return {test_id: round(fmean(values), DECIMALS) for test_id, values in by_test.items()}


def active_j_of(test_id: str, gpu_model: str, *, path: Path = FILE) -> float:
    """Active joules of a call of *test_id* on *gpu_model*.

    Raises:
        UnknownTest: The table is another GPU's, or lacks the test.
    """
    table = json.loads(path.read_text(encoding="utf-8"))
    if table["gpu_model"] != gpu_model:
        raise UnknownTest(
            f"active:P is a share of known joules, and {path.name} has those of {table['gpu_model']}, not of "
            f"{gpu_model}: make it of unchanged runs with benchmarks/cnn/active_joules.py"
        )
    active_j = table["active_j"].get(test_id)
    if active_j is None:
        raise UnknownTest(f"active:P is a share of known joules, and {path.name} has none of {test_id}")
    return float(active_j)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN.json", help="runs of unchanged code")
    parser.add_argument("--out", type=Path, default=FILE, metavar="FILE")
    options = parser.parse_args(arguments)
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in options.runs]
    models = {document["machine"]["fixed"]["gpu_model"] for document in documents}
    if len(models) != 1:
        sys.stderr.write(f"the runs are of several GPUs: {', '.join(sorted(models))}\n")
        return 2
    table = {
        "gpu_model": models.pop(),
        "runs": sorted(path.name for path in options.runs),
        "active_j": mean_of(active_joules(rounds_of(path)) for path in options.runs),
    }
    options.out.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
