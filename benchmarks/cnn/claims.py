"""The paper's first claim, out of the session JSON of a run: which property of a network tells its energy.

    pytest benchmarks/cnn --bench-profile=paper --models=paper --energy-out=run.json
    python benchmarks/cnn/claims.py run.json

Prints energy of training and inference side by side, then the rank correlations of parameters, MACs and
MACs per parameter with joules a sample, for the authors' fourteen networks and for all: gross, net (above
idle power) and active (above ready power). Claim 1 says that MACs per parameter rank best, so the difference
of the two rhos on the same rows has its own interval.
"""

import argparse
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
from pytest_energy.cli.files import read_run
from pytest_energy.errors import SettingsError
from pytest_energy.stats.correlate import Correlation, spearman
from pytest_energy.study.samples import ENERGIES, Energy, Run, Sample, samples_of

SEED = 1
RESAMPLE_COUNT = 2_000
PROPERTIES = ("parameters", "macs", "macs_param")
GROUPS = ("training", "inference")
LEAST_ROWS = 5
TORCHVISION = {  # their forms of four of the authors' networks
    "mobilenet_v2_authors": "mobilenet_v2",
    "efficientnet_b0_authors": "efficientnet_b0",
    "vgg19_authors": "vgg16",
    "googlenet_authors": "googlenet",
}
NETWORKS = {
    "the authors'": frozenset(PAPER_ARCHITECTURES),
    "torchvision's four": frozenset(TORCHVISION.get(name, name) for name in PAPER_ARCHITECTURES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network in one group.

    Attributes:
        model: Its name.
        group: `training` or `inference`.
        energies_j: Mean joules a sample: gross, net and active; `None` where they are not known.
        uncertainty_j: Standard uncertainty of the gross joules.
        cv: Standard deviation of the rounds' joules over their mean; `None` with one round.
        properties: Metric name to value.
    """

    model: str
    group: str
    energies_j: Mapping[Energy, float | None]
    uncertainty_j: float
    cv: float | None
    properties: Mapping[str, float]


def rows_of(run: Run) -> tuple[Row, ...]:
    """The measured networks, in the order of the run.

    Raises:
        SettingsError: No training or inference test of *run* was measured.
    """
    uncertainties_j = {
        one.record.test_id: one.summary.uncertainty_j for one in run.judgements if one.summary is not None
    }
    rows = tuple(
        _row(sample, uncertainties_j[sample.record.test_id])
        for sample in samples_of(run)
        if sample.group in GROUPS and sample.energies_j["gross"] is not None
    )
    if not rows:
        raise SettingsError(f"{run.name} holds no measured training or inference test: run benchmarks/cnn")
    return rows


def _row(sample: Sample, uncertainty_j: float) -> Row:
    record = sample.record
    assert record.samples is not None  # joules of a sample are known
    energies_j = record.round_energies_j
    metrics = {name: record.metrics.get(name) for name in PROPERTIES}
    return Row(
        model=sample.model,
        group=sample.group,
        energies_j=sample.energies_j,
        uncertainty_j=uncertainty_j / record.samples,
        cv=statistics.stdev(energies_j) / statistics.mean(energies_j) if len(energies_j) > 1 else None,
        properties={name: value for name, value in metrics.items() if value is not None},
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


def claim(rows: Sequence[Row], energy: Energy) -> Claim | None:
    """Claim 1 on *rows*, by one kind of joules; `None` where fewer than five rows have all values."""
    usable = [row for row in rows if row.energies_j[energy] is not None and len(row.properties) == 3]
    if len(usable) < LEAST_ROWS:
        return None
    energies_j = np.array([row.energies_j[energy] for row in usable], dtype=float)
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


def side_by_side(rows: Sequence[Row]) -> str:
    """Joules a sample of training and inference, of each kind, with the spread of the rounds."""
    models = list(dict.fromkeys(row.model for row in rows))
    found = {(row.model, row.group): row for row in rows}
    lines = [
        [model, *(cell for group in GROUPS for cell in _cells(found.get((model, group))))] for model in models
    ]
    parts = (*(f"{energy} mJ" for energy in ENERGIES), "CV %")
    headers = ["model", *(f"{group} {part}" for group in GROUPS for part in parts)]
    return tabulate(lines, headers=headers, tablefmt="github", disable_numparse=True, stralign="right")


def _cells(row: Row | None) -> tuple[str, ...]:
    if row is None:
        return ("-",) * (len(ENERGIES) + 1)
    gross_j, *others_j = (row.energies_j[energy] for energy in ENERGIES)
    assert gross_j is not None  # rows have joules
    gross = f"{1e3 * gross_j:.3g} +- {1e3 * row.uncertainty_j:.1g}"
    others = ("-" if other_j is None else f"{1e3 * other_j:.3g}" for other_j in others_j)
    return gross, *others, "-" if row.cv is None else f"{100 * row.cv:.1f}"


def claim_table(rows: Sequence[Row]) -> str:
    """A line for each group, set of networks and energy; a set is there if the run has all of it."""
    lines = []
    for group in GROUPS:
        of_group = [row for row in rows if row.group == group]
        names = frozenset(row.model for row in of_group)
        sets = {name: members for name, members in NETWORKS.items() if members <= names}
        if names not in sets.values():
            sets = {**sets, "all": names}
        for name, members in sets.items():
            chosen = [row for row in of_group if row.model in members]
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
        rows = rows_of(Run(name=path.name, judgements=read_run(path).judgements))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{side_by_side(rows)}\n\n{claim_table(rows)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
