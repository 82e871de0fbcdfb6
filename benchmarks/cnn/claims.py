"""The paper's first claim, out of the session JSON of a run: which property of a network tells its energy.

    pytest benchmarks/cnn --bench-profile=paper --energy-out=run.json
    python benchmarks/cnn/claims.py run.json

Prints energy of training and inference side by side, then the rank correlations of parameters, MACs and
MACs per parameter with joules a sample, for the paper's networks and for all, gross and net. Claim 1 says
that MACs per parameter rank best, so the difference of the two rhos on the same rows has its own interval.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

import numpy as np
from scipy.stats import spearmanr
from tabulate import tabulate

from benchmarks.cnn.models import PAPER_ARCHITECTURES
from pytest_energy.stats.correlate import Correlation, spearman

SEED = 1
RESAMPLE_COUNT = 2_000
PROPERTIES = ("parameters", "macs", "macs_param")
ENERGIES = ("gross", "net")
GROUPS = ("training", "inference")


class UnreadableRun(ValueError):
    """A file that no table can be made of, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network in one group.

    Attributes:
        model: Its name.
        group: `training` or `inference`.
        gross_j: Mean joules a sample.
        net_j: Those less idle power, or `None` where that is not known.
        uncertainty_j: Standard uncertainty of *gross_j*.
        cv: Standard deviation of the rounds' joules over their mean; `None` with one round.
        properties: Metric name to value.
    """

    model: str
    group: str
    gross_j: float
    net_j: float | None
    uncertainty_j: float
    cv: float | None
    properties: Mapping[str, float]


def rows_of(document: object) -> tuple[Row, ...]:
    """The measured networks, in the order of the run.

    Raises:
        UnreadableRun: *document* is no session document, or has no measured training or inference test.
    """
    tests = document.get("tests") if isinstance(document, dict) else None
    if not isinstance(tests, list):
        raise UnreadableRun("holds no list of tests: give the file that --energy-out wrote")
    rows = tuple(
        _row(test)
        for test in tests
        if isinstance(test, dict) and test.get("group") in GROUPS and test.get("energy_per_sample_j")
    )
    if not rows:
        raise UnreadableRun("holds no measured training or inference test: run benchmarks/cnn")
    return rows


def _row(test: Mapping[str, object]) -> Row:
    metrics, rounds, samples = test["metrics"], test["rounds"], test["samples"]
    gross_j, net_j, uncertainty_j = (test[name] for name in ("energy_j", "net_energy_j", "uncertainty_j"))
    if (
        not isinstance(metrics, dict)
        or not isinstance(rounds, list)
        or not isinstance(samples, int)
        or not isinstance(gross_j, float)
        or not isinstance(uncertainty_j, float)
        or not (net_j is None or isinstance(net_j, float))
    ):
        raise UnreadableRun(f"{test['id']} is not as pytest-energy writes it")
    energies_j = [one["energy_j"] for one in rounds if one["energy_j"] is not None]
    return Row(
        model=str(test["model"]),
        group=str(test["group"]),
        gross_j=gross_j / samples,
        net_j=None if net_j is None else net_j / samples,
        uncertainty_j=uncertainty_j / samples,
        cv=statistics.stdev(energies_j) / statistics.mean(energies_j) if len(energies_j) > 1 else None,
        properties={name: metrics[name] for name in PROPERTIES if metrics.get(name) is not None},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Claim 1 on one set of rows.

    Attributes:
        correlations: Property to its rank correlation with joules a sample.
        gain: Rho of MACs per parameter less rho of MACs.
        gain_interval: Its 95 % bootstrap interval over the networks, both rhos on the same resample.
    """

    correlations: Mapping[str, Correlation]
    gain: float
    gain_interval: tuple[float, float]


def claim(rows: Sequence[Row], energy: str) -> Claim | None:
    """Claim 1 on *rows*, with `gross` or `net` joules; `None` where fewer than five rows have all values."""
    usable = [row for row in rows if _energy_j(row, energy) is not None and len(row.properties) == 3]
    if len(usable) < 5:
        return None
    energies_j = np.array([_energy_j(row, energy) for row in usable], dtype=float)
    columns = {name: np.array([row.properties[name] for row in usable]) for name in PROPERTIES}
    correlations = {
        name: spearman(values.tolist(), energies_j.tolist(), seed=SEED) for name, values in columns.items()
    }

    def gain(chosen: "np.typing.NDArray[np.int64]") -> float:
        per_parameter, macs = (
            float(spearmanr(columns[name][chosen], energies_j[chosen]).statistic)
            for name in ("macs_param", "macs")
        )
        return per_parameter - macs

    random = np.random.default_rng(SEED)
    chosen = random.integers(len(usable), size=(RESAMPLE_COUNT, len(usable)))
    gains = [gain(one) for one in chosen if len({*one.tolist()}) > 2]
    lower, upper = np.quantile(gains, (0.025, 0.975))
    return Claim(
        correlations=correlations,
        gain=gain(np.arange(len(usable))),
        gain_interval=(float(lower), float(upper)),
    )


def _energy_j(row: Row, energy: str) -> float | None:
    return row.gross_j if energy == "gross" else row.net_j


def side_by_side(rows: Sequence[Row]) -> str:
    """Joules a sample of training and inference, gross and net, with the spread of the rounds."""
    models = list(dict.fromkeys(row.model for row in rows))
    found = {(row.model, row.group): row for row in rows}
    lines = [
        [model, *(cell for group in GROUPS for cell in _cells(found.get((model, group))))] for model in models
    ]
    headers = ["model", *(f"{group} {part}" for group in GROUPS for part in ("gross mJ", "net mJ", "CV %"))]
    return tabulate(lines, headers=headers, tablefmt="github", disable_numparse=True, stralign="right")


def _cells(row: Row | None) -> tuple[str, str, str]:
    if row is None:
        return "-", "-", "-"
    gross = f"{1e3 * row.gross_j:.3g} +- {1e3 * row.uncertainty_j:.1g}"
    net = "-" if row.net_j is None else f"{1e3 * row.net_j:.3g}"
    return gross, net, "-" if row.cv is None else f"{100 * row.cv:.1f}"


def claim_table(rows: Sequence[Row]) -> str:
    """A line for each group, set of networks and energy."""
    lines = []
    for group in GROUPS:
        of_group = [row for row in rows if row.group == group]
        papers = [row for row in of_group if row.model in PAPER_ARCHITECTURES]
        for name, chosen in (("the paper's", papers), ("all", of_group)):
            for energy in ENERGIES:
                found = claim(chosen, energy)
                if found is not None:
                    lines.append([group, f"{name} ({found.correlations['macs'].n})", energy, *_rhos(found)])
    headers = ["group", "networks", "energy", *PROPERTIES, "macs_param less macs"]
    return tabulate(lines, headers=headers, tablefmt="github", disable_numparse=True)


def _rhos(found: Claim) -> list[str]:
    gain = f"{found.gain:+.2f} [{found.gain_interval[0]:+.2f}, {found.gain_interval[1]:+.2f}]"
    return [*(_rho(found.correlations[name]) for name in PROPERTIES), gain]


def _rho(found: Correlation) -> str:
    if found.rho is None:
        return "-"
    interval = "" if found.ci is None else f" [{found.ci[0]:+.2f}, {found.ci[1]:+.2f}]"
    return f"{found.rho:+.2f}{interval}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 2 with one line on stderr where the file can't be used."""
    parser = argparse.ArgumentParser(description="The paper's first claim, on the networks of a run.")
    parser.add_argument("run", type=Path, help="session JSON that --energy-out wrote")
    path: Path = parser.parse_args(arguments).run
    try:
        rows = rows_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 2
    sys.stdout.write(f"{side_by_side(rows)}\n\n{claim_table(rows)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
