"""How long a fleet's history takes to read: a million sessions of a thousand tests behind one URL.

    python -m benchmarks.fleet.million OUT.json [--url URL] [--tests N] [--sessions N] [--looks N]

The sessions are written first, each an object of 15 rounds (in a local folder without a sync of each). Then,
with nothing known of it: all objects are listed, and none may be missing or there twice; the baseline of
tests that are drawn is loaded, as a run does; a session is added to each of them and found again; the history
of some is read whole. Without --url the bucket is moto's, in a process of its own: it keeps every object in
memory and looks at each for every listing, so that fewer tests are for it. Seconds of CPU, of this process
and of the server, are given too: on a machine that does other work, they say what a look costs.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Final

import psutil

from benchmarks.fleet.s3_server import s3_server
from pytest_energy.baselines.object_store import ObjectStore
from pytest_energy.baselines.session_names import (
    SessionName,
    digest_of,
    new_session,
    parsed,
    told_apart_by,
)
from pytest_energy.model import Machine, Provenance, Reading, Record

KEY: Final = "h100-80gb-hbm3_xeon-8480_nvml"
SEED: Final = 20_261_127
_FIRST: Final = datetime(2025, 1, 1, tzinfo=UTC)
_WHOLE_COUNT: Final = 3  # histories that are read whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Of one look: by the clock, and of the CPU of this process and of the server."""

    median_s: float
    most_s: float
    median_cpu_s: float
    median_server_cpu_s: float

    @classmethod
    def of(cls, seconds: list[float], cpu_s: list[float], server_cpu_s: list[float]) -> "Seconds":
        medians = [round(statistics.median(one), 4) for one in (seconds, cpu_s, server_cpu_s)]
        return cls(
            median_s=medians[0],
            most_s=round(max(seconds), 4),
            median_cpu_s=medians[1],
            median_server_cpu_s=medians[2],
        )


def test_id(number: int) -> str:
    return f"tests/test_fleet_{number // 50}.py::test_work[{number}]"


def created(number: int) -> str:
    return (_FIRST + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def session(test: int, number: int) -> Record:
    rounds = tuple(
        Reading(
            channels={"gpu:0": 100.0 + place / 10, "cpu:package-0": 20.0},
            duration_s=1.0,
            uncertainty_j=0.25,
            provenance=Provenance.MEASURED,
        )
        for place in range(15)
    )
    return Record(
        test_id=test_id(test),
        created=created(number),
        provenance=Provenance.MEASURED,
        machine=Machine(key=KEY, fixed={"gpu_model": "NVIDIA H100"}, varying={"driver": "580.1"}),
        rounds=rounds,
        samples=512,
        session=f"session-{number:08}",
    )


def objects(test: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Name and content of each session of a test: the first one's, with its time and session replaced."""
    first = new_session(session(test, 0))
    identity, content = told_apart_by(first.content), first.content.decode("ascii")
    for number in range(count):
        marks = {created(0): created(number), "session-00000000": f"session-{number:08}"}
        mine, text = identity, content
        for old, new in marks.items():
            mine, text = mine.replace(old, new), text.replace(old, new)
        moment = _FIRST + timedelta(hours=number)
        name = SessionName(moment=moment, count=0, mode="add", joined_as=None, identity=digest_of(mine))
        yield str(name), text.encode("ascii")


def fill(url: str, test_count: int, session_count: int) -> int:
    """Write all of it; the bytes of the objects."""
    store, size_bytes = ObjectStore(url), 0
    for test in range(test_count):
        place = store.path(KEY, test_id(test))
        made = dict(objects(test, session_count))
        size_bytes += sum(map(len, made.values()))
        if url.startswith("file://"):
            folder = Path(url.removeprefix("file://")) / place
            folder.mkdir(parents=True)
            for name, content in made.items():
                (folder / name).write_bytes(content)
        else:
            store._files.put_each({place / name: content for name, content in made.items()})  # noqa: SLF001
        if test % 50 == 0:
            sys.stderr.write(f"{test} of {test_count} tests are written\n")
    return size_bytes


def counted(url: str, test_count: int, session_count: int) -> dict[str, int]:
    """How many sessions are lost, and how many are there twice."""
    store = ObjectStore(url)
    found: dict[PurePath, list[str]] = {}
    for path in store._files.all_files():  # noqa: SLF001  # what is there, not what counts
        name = parsed(path.name)
        if name is not None:
            found.setdefault(path.parent, []).append(name.identity)
    lost = doubled = 0
    for test in range(test_count):
        names = (parsed(name) for name, _ in objects(test, session_count))
        wanted = {name.identity for name in names if name is not None}
        there = found.pop(store.path(KEY, test_id(test)), [])
        lost += len(wanted - {*there})
        doubled += len(there) - len({*there})
    return {"lost": lost, "doubled": doubled, "others": sum(map(len, found.values()))}


def timed(work: Callable[[int], object], tests: list[int]) -> Seconds:
    seconds, cpu_s, server_cpu_s = [], [], []
    for test in tests:
        started_s, started_cpu_s, server_s = time.perf_counter(), time.process_time(), _server_cpu_s()
        work(test)
        seconds.append(time.perf_counter() - started_s)
        cpu_s.append(time.process_time() - started_cpu_s)
        server_cpu_s.append(_server_cpu_s() - server_s)
    return Seconds.of(seconds, cpu_s, server_cpu_s)


def _server_cpu_s() -> float:
    """Of the processes that this one has started: the server, where it is ours."""
    times = [one.cpu_times() for one in psutil.Process().children(recursive=True)]
    return sum(one.user + one.system for one in times)


class _Looks:
    """Each with a store of its own, to which nothing is known yet."""

    def __init__(self, url: str, session_count: int) -> None:
        self._url, self._count = url, session_count

    def load(self, test: int) -> None:
        self._check(test, self._count)

    def add(self, test: int) -> None:
        one = replace(session(test, self._count), session="added")
        ObjectStore(self._url).write(KEY, test_id(test), [one], "add")

    def load_added(self, test: int) -> None:
        self._check(test, self._count + 1)

    def index(self, test: int) -> None:
        store = ObjectStore(self._url)
        store.index(store.path(KEY, test_id(test)))

    def whole(self, test: int, *, takes_copies: bool = False) -> None:
        store = ObjectStore(self._url)
        baseline = store.read_whole(store.path(KEY, test_id(test)), takes_copies=takes_copies)
        if len(baseline.entries) != self._count + 1:
            raise RuntimeError(f"a session of {test_id(test)} is missing")

    def whole_of_copies(self, test: int) -> None:
        self.whole(test, takes_copies=True)

    def _check(self, test: int, count: int) -> None:
        baseline = ObjectStore(self._url).load(KEY, test_id(test))
        numbers = [*range(3), *range(count - 7, count)]
        if baseline is None or [one.created for one in baseline.entries] != [*map(created, numbers)]:
            raise RuntimeError(f"another baseline of {test_id(test)} than was written")


def measured(url: str, options: argparse.Namespace) -> Iterator[tuple[str, object]]:
    """What is found, by name, as it is found."""
    yield "url", ObjectStore(url).name
    yield "tests", options.tests
    yield "sessions", options.tests * options.sessions
    started_s = time.perf_counter()
    yield "bytes", fill(url, options.tests, options.sessions)
    yield "fill_s", round(time.perf_counter() - started_s, 1)
    started_s = time.perf_counter()
    yield from counted(url, options.tests, options.sessions).items()
    yield "list_all_s", round(time.perf_counter() - started_s, 1)
    rng = random.Random(SEED)  # noqa: S311  # which tests to look at, not a secret
    tests = rng.sample(range(options.tests), min(options.looks, options.tests))
    looks = _Looks(url, options.sessions)
    looks.load(tests[0])  # the first use of a library and of a connection is not the history's
    yield "load", asdict(timed(looks.load, tests))
    yield "add", asdict(timed(looks.add, tests))
    yield "load_added", asdict(timed(looks.load_added, tests))
    some = tests[:_WHOLE_COUNT]
    yield "index", asdict(timed(looks.index, some))
    yield "history_with_copies", asdict(timed(looks.whole_of_copies, some))
    yield "history_without", asdict(timed(looks.whole, some))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--url", help="of a place that is empty; default: a bucket of moto")
    parser.add_argument("--tests", type=int, default=1000, metavar="N")
    parser.add_argument("--sessions", type=int, default=1000, metavar="N", help="of each test")
    parser.add_argument("--looks", type=int, default=20, metavar="N", help="tests that are looked at")
    options = parser.parse_args()
    found: dict[str, object] = {}
    with s3_server() if options.url is None else nullcontext(options.url) as url:
        for name, value in measured(url, options):
            found[name] = value
            sys.stdout.write(f"{name}: {value}\n")
            sys.stdout.flush()
            options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if found["lost"] == found["doubled"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
