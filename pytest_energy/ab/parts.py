"""Pairs of rounds by part: work and waiting if they can be separated, and all joules. Pure.

Rule 1: ready power is a line through the quiet before all rounds of a block, of both sides and all tests: one
    test's own may be watts off, and what the line itself is off by is the same for both sides.
Rule 2: a test has parts only if all of its blocks have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Protocol

from pytest_energy.basis import Basis, Parts
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Part
from pytest_energy.meter.ready_power import ready_power_of
from pytest_energy.model import Machine, Reading, Record
from pytest_energy.ready import ReadyPower
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.paired import PairBlock

ReadyPowers = Mapping[str, ReadyPower]
"""Channel to its ready power."""


class BlockReadings(Protocol):
    """The rounds of one block: one of each side a pair, none void."""

    @property
    def before(self) -> tuple[Reading, ...]: ...

    @property
    def after(self) -> tuple[Reading, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPairs:
    """The pairs of one test, by block.

    Attributes:
        blocks: Of all joules, and of work and waiting if those can be separated.
        active_j: Mean active joules of a round of the first side; 0 without parts.
        waiting_j: Mean joules of a round at ready power, likewise.
        duration_s: Mean seconds of a round, likewise.
        no_parts_because: Why there are no parts, or empty.
    """

    __test__ = False  # not a test, for pytest

    blocks: Mapping[Part, tuple[PairBlock, ...]]
    active_j: float = 0.0
    waiting_j: float = 0.0
    duration_s: float = 0.0
    no_parts_because: str = ""

    @property
    def active_share(self) -> float:
        """Share of the joules that is active."""
        return self.active_j / (self.active_j + self.waiting_j)


def ready_powers_of(
    suite: Iterable[Sequence[BlockReadings]], idle_power_w: Mapping[str, float] | None = None
) -> tuple[ReadyPowers, ...]:
    """Ready power in each block, from the blocks of all tests of *suite*."""
    tests = list(suite)
    return tuple(
        ready_power_of(
            chain.from_iterable(
                (*blocks[number].before, *blocks[number].after) for blocks in tests if number < len(blocks)
            ),
            idle_power_w,
        )
        for number in range(max(map(len, tests), default=0))
    )


def pairs_of(blocks: Sequence[BlockReadings], ready: Sequence[ReadyPowers]) -> TestPairs:
    """The pairs of one test, with the ready power of each block of its suite.

    Raises:
        NotMeasurable: A block has no pair, or a round of 0 J.
    """
    joules = {Part.JOULES: tuple(map(joule_pairs, blocks))}
    try:
        sides = [
            (_parts(block.before, powers), _parts(block.after, powers))
            for block, powers in zip(blocks, ready[: len(blocks)], strict=True)
        ]
    except NotMeasurable as error:
        return TestPairs(blocks=joules, no_parts_because=str(error))
    before = [parts for parts, _ in sides]
    waiting_j = fmean(chain.from_iterable(map(_waiting_j, before)))
    if waiting_j <= 0:
        return TestPairs(blocks=joules, no_parts_because="ready power is 0 W: all joules are work")
    return TestPairs(
        blocks={
            **joules,
            Part.WORK: tuple(PairBlock(before=one.active, after=other.active) for one, other in sides),
            Part.WAITING: tuple(
                PairBlock(before=_seconds(one), after=_seconds(other)) for one, other in sides
            ),
        },
        active_j=fmean(chain.from_iterable(parts.active.energies_j for parts in before)),
        waiting_j=waiting_j,
        duration_s=fmean(chain.from_iterable(parts.durations_s for parts in before)),
    )


def pairs_so_far(blocks: Sequence[BlockReadings]) -> list[PairBlock]:
    """The pairs whose width decides when there are enough: of work, by this test's own ready power.

    Raises:
        NotMeasurable: There is no pair, or a round of 0 J.
    """
    ready = ready_power_of(chain.from_iterable((*block.before, *block.after) for block in blocks))
    pairs = pairs_of(blocks, [ready] * len(blocks))
    return list(pairs.blocks.get(Part.WORK, pairs.blocks[Part.JOULES]))


def joule_pairs(block: BlockReadings) -> PairBlock:
    """All joules of a block's rounds.

    Raises:
        NotMeasurable: There is no pair, or a round of 0 J.
    """
    return PairBlock(before=_joules(block.before), after=_joules(block.after))


def _joules(rounds: Sequence[Reading]) -> RoundEnergies:
    return RoundEnergies(
        energies_j=tuple(energy_j for reading in rounds if (energy_j := reading.energy_j) is not None),
        uncertainties_j=tuple(reading.uncertainty_j for reading in rounds),
    )


def _parts(rounds: Sequence[Reading], ready: ReadyPowers) -> Parts:
    record = Record(
        test_id="rounds in turns",
        created="",
        provenance=rounds[0].provenance,
        machine=Machine(key=""),
        rounds=tuple(rounds),
        ready_power=ready,
    )
    return Basis().parts(record)


def _seconds(parts: Parts) -> RoundEnergies:
    """Seconds for the statistics of pairs, which are of ratios and so ask for joules in name only."""
    return RoundEnergies(energies_j=parts.durations_s, uncertainties_j=(0.0,) * len(parts.durations_s))


def _waiting_j(parts: Parts) -> tuple[float, ...]:
    pairs = zip(parts.durations_s, parts.waiting_powers_w, strict=True)
    return tuple(duration_s * power_w for duration_s, power_w in pairs)
