"""What two kept sessions of one suite differ by: joules, seconds and active joules, test by test.

    python benchmarks/gate/ratios.py FIRST.json SECOND.json [--tests]

Prints a row of Markdown: the number of tests, then the median over the tests, the least and the most of the
second session over the first. `--tests` prints a row for each test first. Active joules are those of
`benchmarks/cnn/active_joules.py`. Where the second session says what was planted as products, what they use
alone is printed too, as a share of the first session's active joules.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.cnn.active_joules import active_joules, rounds_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """A test in one session: means of its rounds, and what its planted products use alone."""

    energy_j: float
    duration_s: float
    active_j: float
    alone_j: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A test in the second session over the first, less 1."""

    test_id: str
    energy: float
    duration: float
    active: float
    alone: float | None

    @property
    def ratios(self) -> tuple[float, float, float]:
        return self.energy, self.duration, self.active


def means_of(path: Path) -> dict[str, Means]:
    """Each test of the run *path*."""
    rounds, by_test = rounds_of(path), defaultdict[str, list[tuple[float, float]]](list)
    for taken in rounds:
        by_test[taken.test_id].append((taken.energy_j, taken.duration_s))
    metrics = {test["id"]: test["metrics"] for test in json.loads(path.read_text(encoding="utf-8"))["tests"]}
    active_j = active_joules(rounds)
    return {
        test_id: Means(
            energy_j=fmean(energy_j for energy_j, _ in pairs),
            duration_s=fmean(duration_s for _, duration_s in pairs),
            active_j=active_j[test_id],
            alone_j=metrics[test_id]["planted_products"] * metrics[test_id]["planted_product_j"]
            if "planted_products" in metrics[test_id]
            else None,
        )
        for test_id, pairs in by_test.items()
    }


def changes(first: dict[str, Means], second: dict[str, Means]) -> tuple[Change, ...]:
    """The tests of both sessions, in the second's order."""
    return tuple(
        Change(
            test_id=test_id,
            energy=after.energy_j / before.energy_j - 1,
            duration=after.duration_s / before.duration_s - 1,
            active=after.active_j / before.active_j - 1,
            alone=None if after.alone_j is None else after.alone_j / before.active_j,
        )
        for test_id, after in second.items()
        if (before := first.get(test_id)) is not None
    )


def ratio_added(first: dict[str, Means], second: dict[str, Means]) -> float | None:
    """Active joules that the second session has more, over what its products use alone.

    Both are summed over the tests, since what is added to one test is lost in its noise.
    """
    both = [(first[test_id], after) for test_id, after in second.items() if test_id in first]
    alone_j = [after.alone_j for _, after in both if after.alone_j is not None]
    if not alone_j or len(alone_j) < len(both):
        return None
    return sum(after.active_j - before.active_j for before, after in both) / sum(alone_j)


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def summary(found: Sequence[Change]) -> str:
    """Number of tests, then median (least, most) of joules, seconds and active joules."""
    columns = zip(*(change.ratios for change in found), strict=True)
    return row(
        [
            str(len(found)),
            *(f"{median(of):+.1%} ({min(of):+.1%}, {max(of):+.1%})" for of in columns),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 and a sentence where the sessions share no test."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("first", type=Path, metavar="FIRST.json")
    parser.add_argument("second", type=Path, metavar="SECOND.json")
    parser.add_argument("--tests", action="store_true", help="a row for each test as well")
    options = parser.parse_args(arguments)
    first, second = means_of(options.first), means_of(options.second)
    found = changes(first, second)
    if not found:
        sys.stderr.write(f"{options.first} and {options.second} share no test\n")
        return 2
    if options.tests:
        for change in found:
            alone = [] if change.alone is None else [f"{change.alone:+.1%}"]
            sys.stdout.write(row([change.test_id, *(f"{of:+.1%}" for of in change.ratios), *alone]) + "\n")
    sys.stdout.write(summary(found) + "\n")
    if (ratio := ratio_added(first, second)) is not None:
        sys.stdout.write(f"products added {ratio:.2f} times what they use alone\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
