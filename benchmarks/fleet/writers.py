"""Whether writers of one bucket lose or double anything: a hundred at once, twenty of them killed.

    python -m benchmarks.fleet.writers OUT.json [--url URL] [--writers N] [--killed N]

Each writer is a process that adds its sessions to every test, and says which it has stored. Those that are
killed (SIGKILL) are so after a number of writes that is drawn, wherever they are then. Each of their jobs is
then started anew, as CI does, with the same sessions. Afterwards every session of every writer must be there
once, and every object must be sound. Without --url the bucket is moto's, in a process of its own.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.fleet.s3_server import s3_server
from pytest_energy.baselines.object_store import ObjectStore
from pytest_energy.errors import BaselineError
from pytest_energy.model import Machine, Provenance, Reading, Record

KEY = "fleet_test"
TEST_IDS = tuple(f"tests/test_fleet.py::test_work[{name}]" for name in ("a", "b", "c"))
SESSION_COUNT = 2  # that each writer adds to each test
SEED = 20_261_127


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the writers left.

    Attributes:
        said_count: Sessions that the first processes, the killed ones included, have said to be stored.
        killed_count: Processes that SIGKILL has ended.
        lost: Sessions that are not there.
        doubled: Sessions that are there more than once.
        broken: What is wrong with objects that can't be used.
        object_count: Objects in the bucket.
        duration_s: Of all the writers.
    """

    url: str
    writer_count: int
    killed_count: int
    session_count: int
    said_count: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    broken: tuple[str, ...]
    object_count: int
    duration_s: float

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.broken)


def session(test_id: str, writer: int, number: int) -> Record:
    """The session *number* of *writer*; sessions of several writers are of the same second."""
    reading = Reading(
        channels={"gpu:0": 10.0 + writer}, duration_s=1.0, uncertainty_j=0.1, provenance=Provenance.MEASURED
    )
    return Record(
        test_id=test_id,
        created=f"2025-01-01T00:00:{number:02}Z",
        provenance=Provenance.MEASURED,
        machine=Machine(key=KEY),
        rounds=(reading,) * 5,
        session=name_of(test_id, writer, number),
    )


def name_of(test_id: str, writer: int, number: int) -> str:
    return f"{test_id} {writer} {number}"


def _write(url: str, writer: int, said: int) -> None:
    """One writer's work: each session that is stored is a line in the pipe *said*."""
    store = ObjectStore(url)
    for number in range(SESSION_COUNT):
        for test_id in TEST_IDS:
            one = session(test_id, writer, number)
            store.write(KEY, test_id, [one], "add")
            os.write(said, f"{one.session}\n".encode())


class _Writer:
    """A process that was forked from this one, whose imports it has."""

    def __init__(self, url: str, number: int) -> None:
        self.number = number
        self._said, said = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                _write(url, number, said)
                status = 0
            except BaseException as error:  # noqa: BLE001  # a fork must not go on with its parent's work
                sys.stderr.write(f"writer {number}: {error}\n")
            finally:
                os._exit(status)
        os.close(said)
        self.is_killed = False
        self.lines = list[str]()

    def wait_and_kill(self, after: int) -> None:
        """Kill it once it has said *after* lines, at whatever it does then."""
        text = b""
        while text.count(b"\n") < after and (more := os.read(self._said, 1 << 16)):
            text += more
        os.kill(self.pid, signal.SIGKILL)
        self._end(text)

    def wait(self) -> None:
        self._end(b"")

    def _end(self, text: bytes) -> None:
        while more := os.read(self._said, 1 << 16):
            text += more
        os.close(self._said)
        _, status = os.waitpid(self.pid, 0)
        self.lines = text.decode().splitlines()
        code = os.waitstatus_to_exitcode(status)
        self.is_killed = code == -signal.SIGKILL
        if code and not self.is_killed:
            raise RuntimeError(f"writer {self.number} ended with {code}")


def outcome(url: str, writer_count: int, killed_count: int) -> Outcome:
    """Let the writers loose on *url*, kill some, start their jobs anew, and look at what is there."""
    rng = random.Random(SEED)  # noqa: S311  # whom and when to kill, not a secret
    started_s = time.monotonic()
    writers = [_Writer(url, number) for number in range(writer_count)]
    victims = rng.sample(writers, killed_count)
    # From none on: a job may also die before it has stored anything.
    places = [rng.randrange(SESSION_COUNT * len(TEST_IDS)) for _ in victims]
    with ThreadPoolExecutor(max(1, killed_count)) as pool:
        list(pool.map(_Writer.wait_and_kill, victims, places))
    for writer in writers:
        if writer not in victims:
            writer.wait()
    said = [line for writer in writers for line in writer.lines]
    for again in [_Writer(url, one.number) for one in writers if one.is_killed]:
        again.wait()
    return _looked_at(url, writers, said, time.monotonic() - started_s)


def _looked_at(url: str, writers: Sequence[_Writer], said: Sequence[str], duration_s: float) -> Outcome:
    store = ObjectStore(url)
    wanted = [
        name_of(test_id, writer.number, number)
        for writer in writers
        for test_id in TEST_IDS
        for number in range(SESSION_COUNT)
    ]
    if not {*said} <= {*wanted}:
        raise RuntimeError("a writer said what nobody wrote")
    found, broken = Counter[str](), []
    for _, baseline in store.read_each(store.paths(), is_whole=True):
        if isinstance(baseline, BaselineError):
            broken.append(str(baseline))
        else:
            found.update(str(one.session) for one in baseline.entries)
    return Outcome(
        url=store.name,
        writer_count=len(writers),
        killed_count=sum(one.is_killed for one in writers),
        session_count=len(wanted),
        said_count=len(said),
        lost=tuple(name for name in wanted if name not in found),
        doubled=tuple(name for name, count in found.items() if count > 1),
        broken=tuple(broken),
        object_count=sum(1 for _ in store._files.all_files()),  # noqa: SLF001  # what is there, not what counts
        duration_s=duration_s,
    )


def _told(found: Outcome) -> str:
    return (
        f"{found.writer_count} writers of {found.url}, {len(TEST_IDS)} tests, in {found.duration_s:.0f} s\n"
        f"killed by SIGKILL: {found.killed_count}; reported as stored until then: {found.said_count}\n"
        f"sessions: {found.session_count}, lost: {len(found.lost)}, doubled: {len(found.doubled)}, "
        f"objects: {found.object_count}, broken: {len(found.broken)}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--url", help="default: a bucket of moto")
    parser.add_argument("--writers", type=int, default=100, metavar="N")
    parser.add_argument("--killed", type=int, default=20, metavar="N")
    options = parser.parse_args()
    with s3_server() if options.url is None else nullcontext(options.url) as url:
        found = outcome(url, options.writers, options.killed)
    sys.stdout.write(_told(found))
    options.out.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
