"""How often `pytest-energy ab` is right where rounds wait: verdicts over simulated pairs of a known truth.

    python benchmarks/gate/waiting_pairs.py [--suites N]

Prints one table, in about three minutes for 20 suites. Ready power, parts, bounds and verdicts come from
`pytest_energy.ab`, as in a run. Only rounds are made here, ten tests of three blocks of ten pairs: joules are
active ones plus ready power, a line over a temperature that rises within each block, for seconds that differ
from round to round and from process to process as on a host whose cores are shared.
"""

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.ab.calls import Calls, Counted
from pytest_energy.ab.comparison import DEFAULT_TOLERANCE
from pytest_energy.ab.interleave import PairedRounds
from pytest_energy.ab.judge import Suite, decide_pairs
from pytest_energy.ab.part_changes import Look
from pytest_energy.ab.protocol import FinishedTest
from pytest_energy.judgement import Part, Verdict
from pytest_energy.model import Machine, Provenance, Reading, Record
from pytest_energy.stats.paired import is_turned
from pytest_energy.verdict.policy import Policy

SEED = 20_261_126
SUITE_COUNT = 20
TEST_COUNT, BLOCK_COUNT, PAIR_COUNT = 10, 3, 10

CHANNEL = "gpu:0"
READY_W, SLOPE_W_PER_K = 70.0, 0.6  # of an H100: 100 W at 50 degrees
QUIET_SD_W, QUIET_OFF_W, QUIET_OFF_SHARE = 1.8, 10.0, 0.05  # how a round's own quiet ticks tell that
JOULES_CV = 0.002  # of what the meter says
ACTIVE_CV, ACTIVE_PROCESS_SD = 0.01, 0.003

ENDED = (FinishedTest(outcome="passed", sources={}),) * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One line of the table.

    Attributes:
        seconds_cv: Standard deviation of ln of the seconds of a round, around 1 s.
        seconds_process_sd: The same between processes.
        active_j: Active joules of a round; about 100 J are those of ready power.
    """

    seconds_cv: float
    seconds_process_sd: float
    active_j: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the second side does otherwise: factors of its active joules and of its seconds."""

    name: str
    work: float = 1.0
    seconds: float = 1.0


CHANGES = (
    Change(name="none"),
    Change(name="steps +3 %", work=1.03, seconds=1.03),
    Change(name="work +3 %", work=1.03),
    Change(name="seconds +10 %", seconds=1.1),
)

HOSTS = tuple(
    Host(seconds_cv=cv, seconds_process_sd=process_sd, active_j=active_j)
    for active_j in (50.0, 200.0)
    for cv, process_sd in ((0.002, 0.002), (0.05, 0.01), (0.15, 0.03))
)

WAYS = (
    ("all joules", False, Calls.UNKNOWN),
    ("by part", True, Calls.UNKNOWN),
    ("by part, same calls", True, Calls.SAME),
    ("by part, more calls", True, Calls.MORE),
)

POLICY = Policy(tolerance=DEFAULT_TOLERANCE)


def suite_rounds(host: Host, change: Change, rng: random.Random) -> dict[str, list[PairedRounds]]:
    """All rounds of one comparison: test to its blocks."""
    return {
        f"test_{number}": [_block(host, change, block, rng) for block in range(BLOCK_COUNT)]
        for number in range(TEST_COUNT)
    }


def _block(host: Host, change: Change, block: int, rng: random.Random) -> PairedRounds:
    changes = (Change(name="none"), change)
    works, waits = (
        [getattr(one, name) * math.exp(rng.gauss(0.0, sd)) for one in changes]
        for name, sd in (("work", ACTIVE_PROCESS_SD), ("seconds", host.seconds_process_sd))
    )
    rounds: tuple[list[Reading], list[Reading]] = ([], [])
    for number in range(PAIR_COUNT):
        for place, side in enumerate((1, 0) if is_turned(number, block=block) else (0, 1)):
            temperature_c = 60.0 - 15.0 * math.exp(-(2 * number + place) / 6.0)
            rounds[side].append(_round(host, works[side], waits[side], temperature_c, rng))
    return PairedRounds(before=tuple(rounds[0]), after=tuple(rounds[1]), ended=ENDED, is_interleaved=True)


def _round(host: Host, work: float, wait: float, temperature_c: float, rng: random.Random) -> Reading:
    duration_s = wait * math.exp(rng.gauss(0.0, host.seconds_cv))
    active_j = host.active_j * work * math.exp(rng.gauss(0.0, ACTIVE_CV))
    ready_w = READY_W + SLOPE_W_PER_K * temperature_c
    off_w = QUIET_OFF_W if rng.random() < QUIET_OFF_SHARE else 0.0
    return Reading(
        channels={CHANNEL: (active_j + ready_w * duration_s) * math.exp(rng.gauss(0.0, JOULES_CV))},
        duration_s=duration_s,
        uncertainty_j=0.1,
        provenance=Provenance.MEASURED,
        quiet_power_w={CHANNEL: ready_w + rng.gauss(off_w, QUIET_SD_W)},
        temperatures_c={CHANNEL: round(temperature_c)},
    )


def verdicts(
    host: Host, change: Change, suite_count: int, *, has_parts: bool, calls: Calls = Calls.UNKNOWN
) -> Counter[str]:
    """How often each verdict is given; of a regression, the part that it is of."""
    rng = random.Random(f"{SEED} {host} {change}")  # noqa: S311  # noise that repeats
    counts: Counter[str] = Counter()
    for _ in range(suite_count):
        tests = suite_rounds(host, change, rng)
        suite = Suite.of(tests)
        if not has_parts:
            suite = replace(suite, ready_powers=())
        counts.update(_word(test_id, blocks, suite, calls) for test_id, blocks in tests.items())
    return counts


def _word(test_id: str, blocks: Sequence[PairedRounds], suite: Suite, calls: Calls) -> str:
    record = Record(
        test_id=test_id,
        created="2026-11-26T00:00:00Z",
        provenance=Provenance.MEASURED,
        machine=Machine(key="simulated"),
        rounds=blocks[0].before,
    )
    look = Look(counted=Counted(calls=calls))
    decision = decide_pairs(blocks, record, record, POLICY, suite, look=look)
    finding = decision.compared
    if decision.verdict is not Verdict.REGRESSION or finding is None:
        return decision.verdict
    return Part.JOULES if finding.decisive is None else finding.decisive.part


def table(suite_count: int, hosts: Sequence[Host] = HOSTS) -> str:
    """A line for each host and way of judging."""
    names = ["CV of seconds", "SD of processes", "active share", "judged"]
    head = " | ".join((*names, *(change.name for change in CHANGES)))
    lines = [f"| {head} |", "|---" * (len(names) + len(CHANGES)) + "|"]
    for host in hosts:
        for name, has_parts, calls in WAYS:
            share = host.active_j / (host.active_j + READY_W + SLOPE_W_PER_K * 55.0)
            facts = [
                f"{host.seconds_cv:.1%}",
                f"{host.seconds_process_sd:.1%}",
                f"{share:.0%}",
                name,
            ]
            cells = [
                _cell(verdicts(host, change, suite_count, has_parts=has_parts, calls=calls))
                for change in CHANGES
            ]
            lines.append(f"| {' | '.join((*facts, *cells))} |")
    return "\n".join(lines)


def _cell(counts: Counter[str]) -> str:
    total = counts.total()
    shown = (Verdict.PASS, Part.WORK, Part.WAITING, Part.JOULES)
    return ", ".join(f"{word} {100 * counts[word] / total:.3g} %" for word in shown if counts[word]) or "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Operating table of rounds in turns that wait.")
    parser.add_argument("--suites", type=int, default=SUITE_COUNT, help="of ten tests (default: %(default)s)")
    options = parser.parse_args(arguments)
    sys.stdout.write(
        "Share of tests that pass, and that are a regression of a part; the rest is open. Tolerance "
        f"{DEFAULT_TOLERANCE:.0%}, {BLOCK_COUNT} blocks of {PAIR_COUNT} pairs\n\n{table(options.suites)}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
