"""One test by itself, under noise that breaks what its bounds assume."""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.gate.faults.worlds import World
from benchmarks.gate.loop import Draw, Trial
from pytest_energy.basis import Basis
from pytest_energy.judgement import Verdict
from pytest_energy.model import Machine, Provenance, Reading, Record
from pytest_energy.stats.compare import budget_bounds
from pytest_energy.stats.level import Level, RoundEnergies, rounds_level

CHANGES = (0.0, 0.10)
_TRIES = (1, 2, 4)
_NET_ROUNDS = 8
_LARGE = 1.15  # rounds beyond so many times the usual one have a spike: CV is 1 %, spikes +30 % and more


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the gate did in one cell.

    Attributes:
        shares: True change of the fresh record to the share of each verdict.
        misses: Shares of unchanged records whose lower bound is above the truth, and whose upper is below.
        detected: Share of regressions among rises of just what an unchanged record was said to detect.
        detectable: Median of what they were said to detect, a share.
    """

    shares: Mapping[float, Mapping[Verdict, float]]
    misses: tuple[float, float]
    detected: float
    detectable: float

    def share(self, verdict: Verdict, change: float = 0.0) -> float:
        return self.shares[change].get(verdict, 0.0)


def figures(
    world: World,
    session_count: int,
    repetitions: int,
    *,
    seed: int,
    odd: float = 0.0,
    changes: Sequence[float] = CHANGES,
) -> Figures:
    """What the gate does in *world*; *odd* is what the middle session of the baseline is off by."""
    rng = random.Random(f"{seed} {session_count} {odd}")  # noqa: S311  # noise that repeats
    counts: dict[float, Counter[Verdict]] = {change: Counter() for change in changes}
    detectable, detected, low, high = [], 0, 0, 0
    for _ in range(repetitions):
        commons = world.commons(rng, session_count)
        commons[session_count // 2] += math.log1p(odd)
        draw = world.draw(rng, session_count, commons)
        trial = Trial(draw)
        for change in changes:
            counts[change][trial.outcome(change).verdict] += 1
        unchanged = trial.outcome()
        bounds = trial.bounds(unchanged.count, unchanged.confirming_count)
        low, high = low + (bounds.lower > 1), high + (bounds.upper < 1)
        detectable.append(bounds.detectable_ratio - 1)
        again = Trial(world.fresh(rng, draw.sessions, commons[-1]))
        detected += again.outcome(detectable[-1]).verdict is Verdict.REGRESSION
    return Figures(
        shares={c: {v: n / repetitions for v, n in counted.items()} for c, counted in counts.items()},
        misses=(low / repetitions, high / repetitions),
        detected=detected / repetitions,
        detectable=median(detectable),
    )


# ---- a regression in some rounds ----


def large_rounds(
    world: World, session_count: int, repetitions: int, *, seed: int
) -> dict[bool, Counter[Verdict]]:
    """Verdicts, by whether a large round was among those that were taken."""
    rng = random.Random(f"{seed} large {session_count}")  # noqa: S311  # noise that repeats
    counts: dict[bool, Counter[Verdict]] = {True: Counter(), False: Counter()}
    for _ in range(repetitions):
        draw = world.draw(rng, session_count)
        one = Trial(draw).outcome()
        rounds = (*draw.now[: one.count], *draw.later[: one.confirming_count])
        counts[_has_large(rounds)][one.verdict] += 1
    return counts


def large_rounds_in_a_budget(
    world: World, usual_share: float, repetitions: int, *, seed: int
) -> dict[bool, Counter[Verdict]]:
    """The same for a budget, of which a round without a spike uses *usual_share*."""
    rng = random.Random(f"{seed} budget {usual_share}")  # noqa: S311  # noise that repeats
    counts: dict[bool, Counter[Verdict]] = {True: Counter(), False: Counter()}
    for _ in range(repetitions):
        draw = world.fresh(rng, ())
        rounds = tuple(draw.now[: draw.first_count])
        lower_j, upper_j = budget_bounds(
            RoundEnergies(energies_j=rounds, uncertainties_j=(0.0,) * len(rounds)), 0.05
        )
        budget_j = 100 / usual_share
        verdict = Verdict.PASS if upper_j <= budget_j else Verdict.INCONCLUSIVE
        counts[_has_large(rounds)][Verdict.OVER_BUDGET if lower_j > budget_j else verdict] += 1
    return counts


def _has_large(rounds: Sequence[float]) -> bool:
    return max(rounds) > _LARGE * median(rounds)


# ---- net joules ----


def net_figures(
    idle_share: float, error_share: float, session_count: int, repetitions: int, *, seed: int
) -> dict[float, float]:
    """Shares of regressions of net joules, by true change of them.

    Idle power is *idle_share* of all joules, and each session has read it with an error of its own.
    """
    rng = random.Random(f"{seed} net {idle_share} {error_share} {session_count}")  # noqa: S311
    red = dict.fromkeys(CHANGES, 0)
    for _ in range(repetitions):
        sessions = tuple(
            rounds_level(_net_rounds(rng, idle_share, error_share, _NET_ROUNDS)) for _ in range(session_count)
        )
        fresh = _net_rounds(rng, idle_share, error_share, 2 * _NET_ROUNDS)
        draw = Draw(
            now=fresh.energies_j[:_NET_ROUNDS],
            first_count=_NET_ROUNDS,
            later=fresh.energies_j[_NET_ROUNDS:],
            sessions=sessions,
            own_share=fresh.relative_uncertainty,
            may_extend=False,
        )
        for change in CHANGES:
            red[change] += Trial(draw).outcome(change).verdict is Verdict.REGRESSION
    return {change: count / repetitions for change, count in red.items()}


def _net_rounds(rng: random.Random, idle_share: float, error_share: float, count: int) -> RoundEnergies:
    """The net joules of one session's rounds, as the product takes them out of all."""
    level, idle_w = rng.gauss(0.0, 0.01), 100 * idle_share
    rounds = tuple(
        Reading(
            channels={"gpu:0": idle_w + (100 - idle_w) * math.exp(level + rng.gauss(0.0, 0.01))},
            duration_s=1.0,
            uncertainty_j=0.2,
            provenance=Provenance.MEASURED,
        )
        for _ in range(count)
    )
    record = Record(
        test_id="test_work.py::test_work",
        created="2025-01-01T00:00:00Z",
        provenance=Provenance.MEASURED,
        machine=Machine(key="simulated"),
        rounds=rounds,
        idle_power_w={"gpu:0": idle_w * (1 + rng.gauss(0.0, error_share))},
    )
    return Basis(is_net=True).round_energies(record)


# ---- until it is green ----


def still_red(
    world: World, session_count: int, change: float, repetitions: int, *, are_pooled: bool, seed: int
) -> list[float]:
    """Shares that are red in each of 1, 2 and 4 tries, every one a session of its own."""
    rng = random.Random(f"{seed} tries {session_count} {change}")  # noqa: S311  # noise that repeats
    counts: Counter[int] = Counter()
    for _ in range(repetitions):
        sessions = world.baseline(rng, (0.0,) * session_count)
        draws = [_risen(world.fresh(rng, sessions), change) for _ in range(_TRIES[-1])]
        counts[_red_tries(draws, are_pooled=are_pooled)] += 1
    return [sum(counts[n] for n in range(least, _TRIES[-1] + 1)) / repetitions for least in _TRIES]


def _red_tries(draws: Sequence[Draw], *, are_pooled: bool) -> int:
    """How many tries are red before the first that is not."""
    attempts: tuple[Level, ...] = ()
    for number, draw in enumerate(draws):
        one = Trial(replace(draw, attempts=attempts if are_pooled else ())).outcome()
        if one.verdict is not Verdict.REGRESSION:
            return number
        attempts = (*attempts, draw.level(one.count, one.confirming_count))
    return len(draws)


def _risen(draw: Draw, change: float) -> Draw:
    now, later = ([(1 + change) * energy_j for energy_j in part] for part in (draw.now, draw.later))
    return replace(draw, now=now, later=later)
