"""The best batch size of each model, out of the session JSON of a run of the sweep.

    pytest benchmarks/cnn/test_batch_size.py --bench-profile=gpu --energy-out=run.json
    python benchmarks/cnn/best_batch.py run.json [--plot sweep.png]

Prints joules a sample and samples a second by batch size. Best is the fewest joules a sample; sizes whose
95 % interval overlaps its own are ties. Past saturation a larger batch brings neither speed nor joules. Sizes
that didn't fit into memory have no record; pytest names them as skipped. Void ones are listed at the end.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from tabulate import tabulate

GROUP = "batch"
LEAST_GAIN = 0.05  # in samples a second, from one size to the next: less is saturation


class UnreadableRun(ValueError):
    """A file that no table can be made of, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What one batch size of one model used.

    Attributes:
        batch_size: Samples in a step.
        energy_per_sample_j: Mean over the rounds.
        interval_j: Its 95 % interval.
        samples_per_s: Mean over the rounds.
    """

    batch_size: int
    energy_per_sample_j: float
    interval_j: tuple[float, float]
    samples_per_s: float

    def overlaps(self, other: "Size") -> bool:
        """Whether the two intervals have a value in common."""
        return self.interval_j[0] <= other.interval_j[1] and other.interval_j[0] <= self.interval_j[1]


def sweeps(document: object) -> dict[str, tuple[Size, ...]]:
    """The measured sizes of each model, ascending, out of a parsed session document.

    Raises:
        UnreadableRun: *document* is no session document, or holds no measured test of the sweep.
    """
    tests = document.get("tests") if isinstance(document, dict) else None
    if not isinstance(tests, list):
        raise UnreadableRun("holds no list of tests: give the file that --energy-out wrote")
    found: dict[str, list[Size]] = {}
    for test in tests:
        if isinstance(test, dict) and test.get("group") == GROUP and test.get("energy_ci_j") is not None:
            found.setdefault(_model(test), []).append(_size(test))
    if not found:
        raise UnreadableRun(
            "holds no measured test of the batch sweep: run benchmarks/cnn/test_batch_size.py"
        )
    return {model: tuple(sorted(sizes, key=lambda size: size.batch_size)) for model, sizes in found.items()}


def unread(document: Mapping[str, object]) -> tuple[str, ...]:
    """Tests of the sweep that have no joules to compare: void, or not measured."""
    tests = document["tests"]
    assert isinstance(tests, list)  # `sweeps` has seen to it
    return tuple(
        str(test["id"]).partition("[")[2].removesuffix("]")
        for test in tests
        if isinstance(test, dict) and test.get("group") == GROUP and test.get("energy_ci_j") is None
    )


def _model(test: Mapping[str, object]) -> str:
    """The network's name, and what options changed of the work, without the batch size."""
    case = str(test["id"]).partition("[")[2].removesuffix("]")
    name, _, rest = case.partition("-")
    variant = rest.partition("-")[2]
    return f"{name}-{variant}" if variant else name


def _size(test: Mapping[str, object]) -> Size:
    metrics, interval = test["metrics"], test["energy_ci_j"]
    samples, energy_j, duration_s = (test[name] for name in ("samples", "energy_j", "duration_s"))
    if (
        not isinstance(metrics, dict)
        or not isinstance(interval, list)
        or not isinstance(samples, int)
        or not isinstance(energy_j, float)
        or not isinstance(duration_s, float)
    ):
        raise UnreadableRun(f"{test['id']} is not what pytest-energy writes")
    return Size(
        batch_size=int(metrics["batch_size"]),
        energy_per_sample_j=energy_j / samples,
        interval_j=(interval[0] / samples, interval[1] / samples),
        samples_per_s=samples / duration_s,
    )


def best(sizes: Sequence[Size]) -> Size:
    """The one with the fewest joules a sample; of equals the smallest."""
    return min(sizes, key=lambda size: (size.energy_per_sample_j, size.batch_size))


def ties(sizes: Sequence[Size]) -> tuple[int, ...]:
    """Batch sizes that can't be told from the best one."""
    first = best(sizes)
    return tuple(size.batch_size for size in sizes if size is not first and size.overlaps(first))


def saturation(sizes: Sequence[Size]) -> int | None:
    """Smallest batch size after which the next one brings neither speed nor joules; `None` if each does."""
    for size, larger in pairwise(sizes):
        is_faster = larger.samples_per_s >= size.samples_per_s * (1 + LEAST_GAIN)
        is_frugaler = larger.energy_per_sample_j < size.energy_per_sample_j
        if not is_faster and not is_frugaler:
            return size.batch_size
    return None


def to_text(model: str, sizes: Sequence[Size]) -> str:
    """One model's table and what it says."""
    first, tied, saturated = best(sizes), ties(sizes), saturation(sizes)
    rows = [
        (
            size.batch_size,
            f"{size.energy_per_sample_j:.4g}",
            f"{size.interval_j[0]:.4g} to {size.interval_j[1]:.4g}",
            f"{size.samples_per_s:.4g}",
            "best" if size is first else "tie" if size.batch_size in tied else "",
        )
        for size in sizes
    ]
    headers = ("batch size", "J/sample", "95 % interval", "samples/s", "")
    table = tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True, stralign="right")
    low_j, high_j = first.interval_j
    said = [
        f"best: {first.batch_size}, {first.energy_per_sample_j:.4g} J/sample ({low_j:.4g} to {high_j:.4g})"
    ]
    if tied:
        said.append(f"tied with it: {', '.join(map(str, tied))}; their intervals overlap")
    if saturated is not None:
        said.append(
            f"warning: past {saturated} the next size gains less than {LEAST_GAIN:.0%} in samples/s and no "
            "J/sample: saturated"
        )
    if first is sizes[-1]:
        said.append("warning: the best is the largest size measured; a larger one may be better")
    return "\n".join([model, table, *said])


def plot(sweeps_by_model: Mapping[str, Sequence[Size]], path: Path) -> None:
    """Joules a sample over batch size, both logarithmic, a curve with its intervals for each model."""
    try:
        from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]  # not a dependency
    except ImportError as error:
        msg = "--plot needs matplotlib, which pytest-energy itself doesn't: pip install matplotlib"
        raise UnreadableRun(msg) from error

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.subplots()
    for model, sizes in sweeps_by_model.items():
        means_j = [size.energy_per_sample_j for size in sizes]
        low_j = [size.energy_per_sample_j - size.interval_j[0] for size in sizes]
        high_j = [size.interval_j[1] - size.energy_per_sample_j for size in sizes]
        batch_sizes = [size.batch_size for size in sizes]
        axes.errorbar(batch_sizes, means_j, yerr=(low_j, high_j), marker="o", capsize=3, label=model)
    axes.set(xscale="log", yscale="log", xlabel="batch size", ylabel="J/sample (training)")
    axes.set_xscale("log", base=2)
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each model's table; 2 and a sentence where that can't be done."""
    parser = argparse.ArgumentParser(description="The best batch size of each model in a run of the sweep.")
    parser.add_argument("run", type=Path, metavar="RUN.json", help="session JSON that --energy-out wrote")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw J/sample over batch size (PNG, SVG)")
    options = parser.parse_args(arguments)
    try:
        document = json.loads(options.run.read_text(encoding="utf-8"))
        found = sweeps(document)
        if options.plot is not None:
            plot(found, options.plot)
    except (OSError, ValueError, KeyError) as error:
        print(f"{options.run}: {error}", file=sys.stderr)  # noqa: T201  # a command prints
        return 2
    blocks = [to_text(model, sizes) for model, sizes in found.items()]
    if lost := unread(document):
        blocks.append(f"without a usable reading: {', '.join(lost)}")
    print("\n\n".join(blocks))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
