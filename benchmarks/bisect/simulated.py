"""How often a bisection by joules names the right commit: simulated rounds whose truth is known.

    python -m benchmarks.bisect.simulated [--repetitions N]

Prints a table, in about two minutes for 300 repetitions. The search, its levels, bounds and chances are those
of `pytest-energy bisect`; the noise is that of `benchmarks/gate/pairs.py`. A commit of 12 is planted, each as
often as another. Looks before the last block, and work and waiting by themselves, are not simulated.
"""

import argparse
import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import product

from benchmarks.gate.pairs import Cell, pairs
from pytest_energy.ab.comparison import DEFAULT_TOLERANCE
from pytest_energy.bisect.bisection import LOOKS
from pytest_energy.bisect.search import Answer, Frontier, most_steps, search
from pytest_energy.bisect.target import Level, Target
from pytest_energy.judgement import Part
from pytest_energy.stats.paired import BLOCK_COUNT, PairBlock, compare_pairs

COMMIT_COUNT = 12
ALPHA = 0.05
SEED = 20_261_127
RISES = (0.03, 0.05, 0.1, 0.25)
NOISES = ((0.01, 0.005), (0.01, 0.01), (0.03, 0.01), (0.03, 0.03))
"""Standard deviation of ln J from round to round, and from process to process."""

Enough = Callable[[Level], bool]
"""Whether more rounds than those that led to a level are not needed."""

RIGHT, SUSPECT, WRONG, NONE = "right", "one of several", "wrong", "no rise detected"


@dataclass(frozen=True, slots=True)
class Line:
    """Commits that are numbers, one after the other."""

    def candidates(self, good: Collection[str], bad: str) -> tuple[str, ...]:
        """The middle first, as git has it."""
        first, last = max(map(int, good)), int(bad)
        numbers = range(first + 1, last)
        middle = (first + last) / 2
        return tuple(str(number) for number in sorted(numbers, key=lambda one: abs(one - middle)))


@dataclass(slots=True)
class Machine:
    """Compares commits from number *planted* on with those before it, in rounds that are made up.

    Attributes:
        pair_count: Pairs that were taken so far.
        step_count: Commits that were compared.
    """

    planted: int
    rise: float
    noise: tuple[float, float]
    alpha: float
    rng: random.Random
    pair_count: int = 0
    step_count: int = 0

    def bad_level(self) -> Level | None:
        """That of the last commit, or `None` where its rise isn't proved."""
        limit = 1 + DEFAULT_TOLERANCE
        level = self._level(COMMIT_COUNT, DEFAULT_TOLERANCE, None, lambda one: one.lower > limit)
        return level if level.lower > limit else None

    def judge(self, name: str, target: Target) -> Answer:
        """Whether the commit *name* is good or bad, if its rounds tell."""
        precision, tolerance = target.step_precision, target.step_tolerance
        level = self._level(int(name), tolerance, precision, lambda one: target.answer(one) is not None)
        return target.answer(level) or Answer.SKIP

    def _level(self, number: int, tolerance: float, precision: float | None, is_enough: Enough) -> Level:
        """The level after the rounds that are planned, or after twice as many."""
        self.step_count += 1
        ratio = 1 + self.rise if number >= self.planted else 1.0
        blocks: list[PairBlock] = []
        for _ in range(LOOKS):
            blocks += self._blocks(tolerance, precision)
            bounds = compare_pairs(blocks, tolerance=tolerance, alpha=self.alpha)
            level = Level(value=bounds.ratio * ratio, lower=bounds.lower * ratio, upper=bounds.upper * ratio)
            if is_enough(level):
                break
        return level

    def _blocks(self, tolerance: float, precision: float | None) -> list[PairBlock]:
        cv, process_sd = self.noise
        cell = Cell(cv=cv, process_sd=process_sd, block_count=BLOCK_COUNT, tolerance=tolerance)
        blocks = pairs(cell, self.rng, precision=precision)
        self.pair_count += sum(block.pair_count for block in blocks)
        return blocks


def outcome(machine: Machine) -> str:
    """What a whole bisection comes to."""
    bad = machine.bad_level()
    if bad is None:
        return NONE
    target = Target(
        test_id="",
        measure=Part.JOULES,
        is_exact=False,
        good=Level.exact(1.0),
        bad=bad,
        step_tolerance=bad.value**0.5 - 1,
    )
    line, start = Line(), Frontier(good=("0",), bad=str(COMMIT_COUNT))
    last = search(line, start, lambda name, _: machine.judge(name, target), lambda _: None)
    suspects = last.suspects(line)
    if str(machine.planted) not in suspects:
        return WRONG
    return RIGHT if len(suspects) == 1 else SUSPECT


def table(repetitions: int) -> str:
    """A line for each noise and rise, in percent of the bisections."""
    heads = ("CV of a round", "of a process", "rise", RIGHT, SUSPECT, NONE, WRONG, "steps", "pairs")
    lines = [heads, ("--:",) * len(heads)]
    lines += [_row(noise, rise, repetitions) for noise, rise in product(NOISES, RISES)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(noise: tuple[float, float], rise: float, repetitions: int) -> tuple[str, ...]:
    rng = random.Random(f"{SEED} {noise} {rise}")  # noqa: S311  # noise that repeats
    alpha = ALPHA / (1 + most_steps(COMMIT_COUNT - 1)) / LOOKS
    machines = [Machine(1 + number % COMMIT_COUNT, rise, noise, alpha, rng) for number in range(repetitions)]
    counts = Counter(map(outcome, machines))
    shares = (f"{counts[name] / repetitions:.1%}" for name in (RIGHT, SUSPECT, NONE, WRONG))
    means = (sum(values) / repetitions for values in zip(*map(_effort, machines), strict=True))
    return (*(f"{one:.1%}" for one in noise), f"{rise:.0%}", *shares, *(f"{mean:.1f}" for mean in means))


def _effort(machine: Machine) -> tuple[int, int]:
    return machine.step_count, machine.pair_count


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=300)
    print(table(parser.parse_args().repetitions))  # noqa: T201
