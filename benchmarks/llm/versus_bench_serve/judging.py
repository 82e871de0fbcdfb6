"""Both clients' figures side by side: the ratio of each, its interval and whether that is agreement. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.llm.versus_bench_serve.figures import NAMES, Pair
from pytest_energy.stats.compare import Bounds
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.paired import LEAST_PAIR_COUNT, PairBlock, compare_pairs

LIMITS = (0.95, 1.05)
SERVER_CPU = "server_cpu_s"
TAIL = 0.025  # of each bound, so that both make a 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of both clients.

    Attributes:
        name: One of `NAMES`, or `SERVER_CPU`.
        theirs: Median over the runs.
        ours: Median over the runs.
        bounds: Of the ratio ours / theirs.
    """

    name: str
    theirs: float
    ours: float
    bounds: Bounds

    @property
    def verdict(self) -> Literal["agrees", "differs", "undecided"]:
        """Where the interval lies: within the limits, beyond one of them, or across one."""
        least, most = LIMITS
        if least <= self.bounds.lower and self.bounds.upper <= most:
            return "agrees"
        if self.bounds.upper < least or most < self.bounds.lower:
            return "differs"
        return "undecided"


def compared(pairs: Sequence[Pair]) -> tuple[Row, ...]:
    """Each figure of both clients and the bounds of its ratio; none of too few *pairs*."""
    if len(pairs) < LEAST_PAIR_COUNT:
        return ()
    rows = [
        _row(name, [pair.theirs.figures[name] for pair in pairs], [pair.ours.figures[name] for pair in pairs])
        for name, _, _ in NAMES
    ]
    theirs_s = [time_s for pair in pairs if (time_s := pair.theirs.server_cpu_s) is not None]
    ours_s = [time_s for pair in pairs if (time_s := pair.ours.server_cpu_s) is not None]
    if len(theirs_s) == len(ours_s) == len(pairs):
        rows.append(_row(SERVER_CPU, theirs_s, ours_s))
    return tuple(rows)


def table(rows: Sequence[Row]) -> str:
    """*rows* in Markdown, the requests' times in milliseconds."""
    lines = ["| | bench serve | ours | ratio | 95 % interval | |", "|---|--:|--:|--:|--:|---|"]
    for row in rows:
        label, scale = _shown(row.name)
        bounds = row.bounds
        lines.append(
            f"| {label} | {scale * row.theirs:.4g} | {scale * row.ours:.4g} | {bounds.ratio:.4f} | "
            f"{bounds.lower:.4f} to {bounds.upper:.4f} | {row.verdict} |"
        )
    return "\n".join(lines)


def _shown(name: str) -> tuple[str, float]:
    """What the table calls the figure *name*, with its unit, and how many of that unit make one of ours."""
    if name == SERVER_CPU:
        return "server CPU, s", 1.0
    label = name.removesuffix("_s").replace("_", " ").replace("ttft", "TTFT").replace("tpot", "TPOT")
    return (f"{label}, ms", 1e3) if name.endswith("_s") else (f"{label}, 1/s", 1.0)


def _row(name: str, theirs: Sequence[float], ours: Sequence[float]) -> Row:
    pairs = PairBlock(before=_sample(theirs), after=_sample(ours))
    bounds = compare_pairs([pairs], tolerance=LIMITS[1] - 1, alpha=TAIL, levels=None)
    return Row(name=name, theirs=median(theirs), ours=median(ours), bounds=bounds)


def _sample(values: Sequence[float]) -> RoundEnergies:
    """*values* for the statistics of pairs, which are of ratios and so ask for joules in name only."""
    return RoundEnergies(energies_j=tuple(values), uncertainties_j=(0.0,) * len(values))
