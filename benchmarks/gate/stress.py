"""Whether writers of the same baselines lose anything: eight at once, one of them killed in the middle.

    python benchmarks/gate/stress.py [--repetitions N]

Each writer is a process that adds its sessions to every test and says which of them are stored. One is killed
(SIGKILL) after it has said so a number of times that is drawn: from outside at once, which is mostly while it
waits for its turn, or, turn about, in the middle of the next write: before the new file has reached the disk,
or before it takes the old one's place. Afterwards every session that a writer has said to be stored must
be there once, those of the killed one included, and every file must be sound. About 2 s a repetition.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.baselines.store import Store
from pytest_energy.errors import BaselineError
from pytest_energy.model import Machine, Provenance, Reading, Record

WRITER_COUNT = 8
SESSION_COUNT = 4  # that each writer adds to each test
REPETITIONS = 50
SEED = 20_261_121

KEY = "stress_test"
TEST_IDS = tuple(f"tests/test_stress.py::test_work[{name}]" for name in ("a", "b", "c"))

_KEPT_COUNT = 10_000  # all

PLACES = ("outside", "sync", "replace")
"""Where the killed writer dies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one repetition left.

    Attributes:
        stored_count: Sessions that writers have said to be stored.
        lost: Those of them that are not there.
        doubled: Sessions that are there more than once.
        broken: What is wrong with files that can't be read.
        place: Where the killed writer died, one of `PLACES`.
        leftovers: Files that are still there, after one more write each, and are no baselines.
    """

    stored_count: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    broken: tuple[str, ...]
    place: str
    leftovers: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.broken or self.leftovers)


def session(test_id: str, writer: int, number: int) -> Record:
    """The session *number* of *writer*, told apart by its metrics."""
    reading = Reading(
        channels={"gpu:0": 10.0 + writer}, duration_s=1.0, uncertainty_j=0.1, provenance=Provenance.REPLAYED
    )
    return Record(
        test_id=test_id,
        created="2020-01-01T00:00:00Z",
        provenance=Provenance.REPLAYED,
        machine=Machine(key=KEY),
        rounds=(reading,) * 5,
        metrics={"writer": float(writer), "number": float(number)},
    )


def _name(test_id: str, writer: int, number: int) -> str:
    return f"{test_id} {writer} {number}"


def _write(folder: Path, writer: int, out: IO[str], orders: IO[str]) -> None:
    """One writer's work: told by a line to begin, and perhaps when to die, it says each write that it did."""
    print("ready", file=out, flush=True)
    place, _, last = orders.readline().partition(" ")
    for number in range(SESSION_COUNT):
        for turn, test_id in enumerate(TEST_IDS, start=number * len(TEST_IDS)):
            if place in PLACES[1:] and turn == int(last):
                _die_at(place)
            Store(folder).write(KEY, test_id, [session(test_id, writer, number)], "add", _KEPT_COUNT)
            print(_name(test_id, writer, number), file=out, flush=True)


def _die_at(place: str) -> None:
    """Let this process be killed in the middle of its next write."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if place == "sync":
        vars(os)["fsync"] = die
    else:
        type.__setattr__(Path, "replace", die)


def repetition(folder: Path, rng: random.Random, *, place: str) -> Outcome:
    """Let the writers loose on *folder*, kill one, and look at what is there.

    Args:
        folder: Empty, or not there yet.
        rng: For who is killed after how many writes.
        place: One of `PLACES`.

    Raises:
        RuntimeError: A writer that was not killed failed.
    """
    writers = [_started(folder, number) for number in range(WRITER_COUNT)]
    for writer in writers:
        _line_of(writer)
    victim, last = rng.randrange(WRITER_COUNT), rng.randrange(1, SESSION_COUNT * len(TEST_IDS))
    for number, writer in enumerate(writers):
        assert writer.stdin is not None
        writer.stdin.write(f"{place} {last}\n" if number == victim else "go\n")
        writer.stdin.flush()
    said = [_line_of(writers[victim]) for _ in range(last)]
    if place == PLACES[0]:
        writers[victim].send_signal(signal.SIGKILL)
    for number, writer in enumerate(writers):
        rest, _ = writer.communicate()
        said += rest.splitlines()
        wanted = -signal.SIGKILL if number == victim else 0
        if writer.returncode != wanted:
            raise RuntimeError(f"writer {number} ended with {writer.returncode}, not {wanted}")
    return _outcome(folder, said, place)


def _started(folder: Path, number: int) -> "subprocess.Popen[str]":
    command = [sys.executable, __file__, "--writer", str(number), "--folder", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  # ourselves


def _line_of(writer: "subprocess.Popen[str]") -> str:
    assert writer.stdout is not None
    return writer.stdout.readline().rstrip("\n")


def _outcome(folder: Path, said: Sequence[str], place: str) -> Outcome:
    store = Store(folder)
    for test_id in TEST_IDS:  # the next writer clears up
        store.write(KEY, test_id, [session(test_id, WRITER_COUNT, 0)], "add", _KEPT_COUNT)
    broken, found = [], Counter[str]()
    for path in store.paths():
        try:
            baseline = store.read(path)
        except BaselineError as error:
            broken.append(str(error))
            continue
        for record in baseline.entries:
            writer, number = (int(record.metrics[name] or 0) for name in ("writer", "number"))
            found[_name(baseline.test_id, writer, number)] += 1
    return Outcome(
        stored_count=len(said),
        lost=tuple(name for name in said if name not in found),
        doubled=tuple(name for name, count in found.items() if count > 1),
        broken=tuple(broken),
        place=place,
        leftovers=_others(folder, store.paths()),
    )


def _others(folder: Path, baselines: Iterable[Path]) -> tuple[str, ...]:
    """Files in *folder* that are no baselines."""
    known = set(baselines)
    return tuple(str(path) for path in sorted(folder.rglob("*")) if path.is_file() and path not in known)


def outcomes(repetitions: int, *, seed: int) -> list[Outcome]:
    """What *repetitions* leave, each in a folder of its own."""
    rng = random.Random(seed)  # noqa: S311  # when to kill, not a secret
    found = []
    for number in range(repetitions):
        with tempfile.TemporaryDirectory(prefix="pytest-energy-stress-") as folder:
            place = PLACES[(number + 1) % len(PLACES)]
            found.append(repetition(Path(folder, "baselines"), rng, place=place))
    return found


def _told(found: Sequence[Outcome], duration_s: float) -> str:
    good, half = sum(one.is_good for one in found), sum(one.place != PLACES[0] for one in found)
    lost, doubled = sum(len(one.lost) for one in found), sum(len(one.doubled) for one in found)
    broken, leftovers = sum(len(one.broken) for one in found), sum(len(one.leftovers) for one in found)
    lines = [
        f"{len(found)} repetitions of {WRITER_COUNT} writers, {len(TEST_IDS)} tests, in {duration_s:.0f} s",
        f"killed in the middle of a write: {half}, at any moment: {len(found) - half}",
        f"sessions reported as stored: {sum(one.stored_count for one in found)}",
        f"lost: {lost}, doubled: {doubled}, files broken: {broken}, leftovers: {leftovers}",
        f"nothing lost and every file sound in {good} of {len(found)}",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, metavar="N")
    parser.add_argument("--writer", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.writer is not None:
        _write(options.folder, options.writer, sys.stdout, sys.stdin)
        return 0
    started_s = time.monotonic()
    found = outcomes(options.repetitions, seed=SEED)
    sys.stdout.write(_told(found, time.monotonic() - started_s))
    return 0 if all(one.is_good for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
