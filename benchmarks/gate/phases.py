"""How often the gate is right with phases that have baselines of their own, in simulation.

    python -m benchmarks.gate.phases [--repetitions N]

Prints the tables of docs/decisions/0052-phase-baselines.md. Records are made here, with noise of a known
size; baselines, rules and verdicts are the product's. A test has three phases of 60, 30 and 10 J. In ln J,
sessions differ by what all phases of a test share and by a part of each phase's own; rounds of a phase
scatter. Each edge between two phases moves joules from one to the other, in each round anew, with the
standard uncertainty that the reading reports. A test that looks like a regression gets a second batch of
rounds, as in a run.
"""

import argparse
import itertools
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pytest_energy.baselines.schema import Baseline
from pytest_energy.basis import Basis
from pytest_energy.judgement import Verdict
from pytest_energy.model import Machine, Phase, Provenance, Reading, Record
from pytest_energy.verdict.findings import AgainstPhase, Decision
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.session import Trial, decide_session

SEED = 20_261_127
PHASES_J = {"train": 60.0, "serve": 30.0, "load": 10.0}
ROUND_COUNT = 5
ALPHA = TOLERANCE = 0.05
SESSION_COUNTS = (1, 5)
RISE = 1.10
REPETITIONS = 400
SUITE_SIZE, SUITE_SHARE = 20, 10  # tests of a suite, and runs of one test for each of a suite
_MACHINE = Machine(key="simulated", fixed={}, varying={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Standard deviations in ln J, and of an edge in joules.

    Attributes:
        between_sd: Of a session, in all phases of a test.
        phase_sd: Of a session, in one phase.
        round_cv: Of a round, in one phase.
        edge_j: By which an edge moves joules from one phase to the next, in one round.
    """

    between_sd: float = 0.01
    phase_sd: float = 0.005
    round_cv: float = 0.01
    edge_j: float = 0.1


NOISES: Mapping[str, Noise] = {
    "sessions 1 %, phases 0.5 %": Noise(),
    "sessions 2 %, phases 1 %": Noise(between_sd=0.02, phase_sd=0.01),
    "edges of 0.5 J": Noise(edge_j=0.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The level of each phase of one test in one session, and a source of its rounds."""

    test_id: str
    name: str
    levels_j: Mapping[str, float]
    noise: Noise
    rng: random.Random

    @classmethod
    def drawn(
        cls, number: int, name: str, noise: Noise, rng: random.Random, changed: Mapping[str, float]
    ) -> "Session":
        """A session of test *number*, whose phases use *changed* times what they use as a rule."""
        shared = rng.gauss(0.0, noise.between_sd)
        levels_j = {
            phase: one_j * changed.get(phase, 1.0) * math.exp(shared + rng.gauss(0.0, noise.phase_sd))
            for phase, one_j in PHASES_J.items()
        }
        return cls(test_id=f"test_{number}", name=name, levels_j=levels_j, noise=noise, rng=rng)

    def record(self) -> Record:
        return Record(
            test_id=self.test_id,
            created=f"2026-11-01T10:00:0{self.name}Z",
            session=self.name,
            provenance=Provenance.MEASURED,
            machine=_MACHINE,
            rounds=tuple(self.rounds()),
        )

    def rounds(self) -> Iterator[Reading]:
        edge_j = self.noise.edge_j
        for _ in range(ROUND_COUNT):
            true_j = {
                phase: level_j * math.exp(self.rng.gauss(0.0, self.noise.round_cv))
                for phase, level_j in self.levels_j.items()
            }
            read_j, errors_j = dict(true_j), dict.fromkeys(true_j, 0.0)
            for before, after in pairwise(true_j):
                moved_j = self.rng.gauss(0.0, edge_j)
                read_j[before] += moved_j
                read_j[after] -= moved_j
                for phase in (before, after):
                    errors_j[phase] = math.hypot(errors_j[phase], edge_j)
            total_j = math.fsum(true_j.values())
            yield Reading(
                channels={"gpu:0": total_j},
                duration_s=1.0,
                uncertainty_j=0.0,
                provenance=Provenance.MEASURED,
                phases=tuple(
                    Phase(
                        name=phase,
                        energy_j=one_j,
                        uncertainty_j=errors_j[phase],
                        duration_s=true_j[phase] / total_j,
                    )
                    for phase, one_j in read_j.items()
                ),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run said.

    Attributes:
        failing: Tests that fail.
        named: Phases of the first test that are called a regression.
    """

    failing: frozenset[str]
    named: frozenset[str]


def outcome(
    noise: Noise,
    rng: random.Random,
    *,
    session_count: int,
    test_count: int = 1,
    phases: tuple[str, ...] = ("all",),
    changed: Mapping[str, float] | None = None,
) -> Outcome:
    """One run of *test_count* tests, the first of which has *changed*, and its end."""
    policy = Policy(tolerance=TOLERANCE, alpha=ALPHA, phase_baselines=phases)
    fresh, trials = [], []
    for number in range(test_count):
        stored = [Session.drawn(number, str(k), noise, rng, {}).record() for k in range(session_count)]
        baseline = Baseline(test_id=stored[0].test_id, machine_key=_MACHINE.key, entries=tuple(stored))
        fresh.append(Session.drawn(number, "9", noise, rng, {} if number else changed or {}))
        trials.append(Trial(record=fresh[-1].record(), history=history_of(baseline, Basis()), policy=policy))
    decisions = decide_session(trials, tolerance=TOLERANCE, alpha=ALPHA).decisions
    suspects = [place for place, one in enumerate(decisions) if one.verdict is Verdict.REGRESSION]
    for place in suspects:
        first = trials[place].record
        both = replace(first, rounds=(*first.rounds, *fresh[place].rounds()), confirming_count=ROUND_COUNT)
        trials[place] = replace(trials[place], record=both)
    if suspects:
        decisions = decide_session(trials, tolerance=TOLERANCE, alpha=ALPHA).decisions
    return Outcome(
        failing=frozenset(one.record.test_id for one in decisions if one.verdict is Verdict.REGRESSION),
        named=frozenset(_named(decisions[0])),
    )


def _named(decision: Decision) -> Iterator[str]:
    for one in decision.findings:
        if isinstance(one, AgainstPhase) and one.verdict is Verdict.REGRESSION:
            yield one.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Runs of one kind."""

    noise: str
    session_count: int
    test_count: int = 1
    phases: tuple[str, ...] = ("all",)
    changed: tuple[tuple[str, float], ...] = ()

    def outcomes(self, repetitions: int) -> list[Outcome]:
        noise = replace(self, phases=())  # the same with judged phases and without
        rng = random.Random(f"{SEED} {noise}")  # noqa: S311  # noise that repeats
        return [
            outcome(
                NOISES[self.noise],
                rng,
                session_count=self.session_count,
                test_count=self.test_count,
                phases=self.phases,
                changed=dict(self.changed),
            )
            for _ in range(repetitions)
        ]


def unchanged_lines(repetitions: int) -> Iterator[list[str]]:
    """Runs of unchanged code that fail: without judged phases, and with three in each test."""
    for noise, count in itertools.product(NOISES, SESSION_COUNTS):
        cells = [
            Cell(noise=noise, session_count=count, test_count=test_count, phases=phases)
            for test_count in (1, SUITE_SIZE)
            for phases in ((), ("all",))
        ]
        found = [
            one.outcomes(repetitions if one.test_count == 1 else repetitions // SUITE_SHARE) for one in cells
        ]
        yield [noise, str(count), *(_percent([bool(one.failing) for one in runs]) for runs in found)]


def changed_lines(repetitions: int) -> Iterator[list[str]]:
    """Runs of one test, one phase of which uses 10 % more, that fail, and that name just this phase."""
    for noise, phase, count in itertools.product(NOISES, PHASES_J, SESSION_COUNTS):
        cell = Cell(noise=noise, session_count=count, changed=((phase, RISE),))
        plain, judged = (replace(cell, phases=phases).outcomes(repetitions) for phases in ((), ("all",)))
        yield [
            noise,
            f"{phase} ({PHASES_J[phase]:g} %)",
            str(count),
            _percent([bool(one.failing) for one in plain]),
            _percent([phase in one.named for one in judged]),
            _percent([bool(one.named - {phase}) for one in judged]),
        ]


def allowed_lines(repetitions: int) -> Iterator[list[str]]:
    """Runs of one test that uses just what is allowed more, in all phases, that fail."""
    for noise, count in itertools.product(NOISES, SESSION_COUNTS):
        changed = tuple((phase, 1 + TOLERANCE) for phase in PHASES_J)
        cell = Cell(noise=noise, session_count=count, changed=changed)
        runs = [replace(cell, phases=phases).outcomes(repetitions) for phases in ((), ("all",))]
        yield [noise, str(count), *(_percent([bool(one.failing) for one in found]) for found in runs)]


def _percent(are_so: Sequence[bool]) -> str:
    return f"{100 * sum(are_so) / len(are_so):.1f}"


TABLES = {
    "Unchanged code: runs that fail": (
        ("noise", "sessions", "1 test", "with its phases", f"{SUITE_SIZE} tests", "with their phases"),
        unchanged_lines,
    ),
    f"One phase +{100 * (RISE - 1):.0f} %, one test": (
        ("noise", "phase", "sessions", "fails without phases", "the phase is named", "another is"),
        changed_lines,
    ),
    f"All phases +{100 * TOLERANCE:g} %, which is just allowed, one test: runs that fail": (
        ("noise", "sessions", "1 test", "with its phases"),
        allowed_lines,
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repetitions", type=int, default=REPETITIONS, metavar="N", help=f"of each cell ({REPETITIONS})"
    )
    options = parser.parse_args(arguments)
    if options.repetitions < SUITE_SHARE:
        parser.error(f"--repetitions is {options.repetitions}; give at least {SUITE_SHARE}")
    sys.stdout.write(
        f"{options.repetitions} runs of one test in a cell, {options.repetitions // SUITE_SHARE} of "
        f"{SUITE_SIZE} tests; seed {SEED}, alpha {ALPHA:g}, tolerance {TOLERANCE:g}; shares in %\n"
    )
    for title, (head, lines) in TABLES.items():
        sys.stdout.write(f"\n{title}\n\n| {' | '.join(head)} |\n|{' --: |' * len(head)}\n")
        for line in lines(options.repetitions):
            sys.stdout.write(f"| {' | '.join(line)} |\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
