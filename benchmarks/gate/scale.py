"""Whether many baselines are checked soon enough: 10,000 tests of 10 sessions, loaded, judged, written.

    python benchmarks/gate/scale.py [--tests N] [--sessions K] [--rounds R] [--processes P] [--folder DIR]
        [--parts]

Writes the baselines into a temporary folder (or DIR, which is used again if it is there), then checks them in
a process of its own, whose time and largest memory are its alone: each baseline is read from its file as a
run reads it and a fresh record held against it; then the session document of all judgements is made. Energies
are drawn around each test's own level with a CV of 1 %. With --parts each round has the quiet power before it
and a temperature, as an H100's has, and each session a name: work and waiting are judged. Of several
processes each judges its share and sends its judgements as JSON to the one that makes the document, as the
workers of `pytest -n2` do.
"""

import argparse
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.baselines.schema import Baseline, to_json_text
from pytest_energy.baselines.store import Store
from pytest_energy.codec import parse
from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.judgement import Judgement
from pytest_energy.model import Machine, Provenance, Reading, Record, SensorStatus
from pytest_energy.ready import ReadyPower
from pytest_energy.report import to_json, view
from pytest_energy.usage import Usage
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.session import Trial, decide_process
from pytest_energy.verdict.words import in_words

TEST_COUNT, SESSION_COUNT, ROUND_COUNT = 10_000, 10, 5
MOST_S, MOST_BYTES = 20.0, 500e6
PROCESS_COUNT = 2
SEED = 20_261_121

_CV = 0.01
# As many facts as an H100 has.
_MACHINE = Machine(
    key="h100-80gb-hbm3_xeon-8480c_nvml",
    fixed={
        "cpu_model": "Intel(R) Xeon(R) Platinum 8480C",
        "gpu_count": "1",
        "gpu_model": "NVIDIA H100 80GB HBM3",
        "gpu_power_limit_w": "700",
        "mig": "off",
        "provenance": "measured",
        "sensors": "nvml",
    },
    varying={
        "cuda": "12.8.90",
        "driver": "580.159.04",
        "git_commit": "3f786850e387550fdab836ed7e6dc881de23001b",
        "git_dirty": "no",
        "gpu_uuid": "GPU-00000000-0000-0000-0000-000000000000",
        "pytest_energy": "0.1.0",
        "python": "3.11.7",
        "torch": "2.9.1",
    },
)
_SENSORS = (SensorStatus(name="nvml", channels=("gpu:0",), provenance=Provenance.MEASURED, tick_s=0.1),)


_READY_POWER = {"gpu:0": ReadyPower(power_w=125.0, temperature_c=47.0, slope_w_per_k=0.6, uncertainty_w=0.05)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What the check took.

    Attributes:
        judge_s: Seconds to read and judge every test.
        document_s: Seconds to make the document.
        cpu_s: Seconds of processor time of all processes, their start included.
        peak_bytes: Most memory that the processes had: the sum, as if all had it at once.
        document_bytes: Length of the document.
    """

    judge_s: float
    document_s: float
    cpu_s: float
    peak_bytes: float
    document_bytes: int

    @property
    def duration_s(self) -> float:
        return self.judge_s + self.document_s


def test_id(number: int) -> str:
    return f"tests/layer_{number // 100}/test_scale.py::test_work[{number}]"


def record(number: int, session: int, round_count: int, *, has_parts: bool = False) -> Record:
    """The record of one test in one session; the same whenever it is asked for."""
    rng = random.Random(f"{SEED} {number} {session}")  # noqa: S311  # noise that repeats
    level_j = 10 * math.exp((number % 100) / 25)
    usage = Usage(
        cpu_utilisation_share=0.125,
        gpu_utilisation_share=0.96,
        ram_used_bytes=2.5e9,
        gpu_memory_used_bytes=4e9,
    )
    rounds = tuple(
        Reading(
            channels={"gpu:0": level_j * math.exp(rng.gauss(0.0, _CV))},
            duration_s=level_j / 300 * math.exp(rng.gauss(0.0, _CV)),
            uncertainty_j=0.002 * level_j,
            provenance=Provenance.MEASURED,
            usage=usage,
        )
        for _ in range(round_count)
    )
    if has_parts:
        rounds = tuple(_after_quiet(one, rng) for one in rounds)
    return Record(
        test_id=test_id(number),
        created=f"2020-01-01T{session:02}:00:00Z",
        provenance=Provenance.MEASURED,
        machine=_MACHINE,
        rounds=rounds,
        samples=512,
        metrics={"accuracy": 0.91},
        sensors=_SENSORS,
        session=f"session-{session}" if has_parts else None,
        ready_power=_READY_POWER if has_parts else {},
    )


def _after_quiet(reading: Reading, rng: random.Random) -> Reading:
    temperature_c = rng.uniform(40.0, 55.0)
    power_w = _READY_POWER["gpu:0"].at(temperature_c) + rng.gauss(0.0, 1.5)
    return replace(reading, quiet_power_w={"gpu:0": power_w}, temperatures_c={"gpu:0": temperature_c})


def write_baselines(
    folder: Path, test_count: int, session_count: int, round_count: int, *, has_parts: bool = False
) -> int:
    """Write the baselines that are not there yet; the bytes of all."""
    store, size_bytes = Store(folder), 0
    for number in range(test_count):
        path = store.path(_MACHINE.key, test_id(number))
        if not path.exists():
            sessions = tuple(
                record(number, session, round_count, has_parts=has_parts) for session in range(session_count)
            )
            baseline = Baseline(test_id=test_id(number), machine_key=_MACHINE.key, entries=sessions)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(to_json_text(baseline), encoding="ascii")
        size_bytes += path.stat().st_size
    return size_bytes


def judged(
    folder: Path, numbers: Iterable[int], round_count: int, *, has_parts: bool = False
) -> Iterator[Judgement]:
    """The judgements of the tests *numbers*, as a process of a run makes them at its end."""
    store, policy = Store(folder), Policy()
    trials = []
    for number in numbers:
        baseline = store.load(_MACHINE.key, test_id(number))
        history = None if baseline is None else history_of(baseline, policy.basis)
        fresh = record(number, 23, round_count, has_parts=has_parts)
        trials.append(Trial(record=fresh, history=history, policy=policy))
    session = decide_process(trials, tolerance=policy.tolerance, alpha=policy.alpha)
    for decision in session.decisions:
        yield in_words(decision)


def own_peak_bytes() -> float:
    """The most memory that this process has had.

    `getrusage` would count what its parent had before this program was loaded: proc(5), VmHWM.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kibibytes) * 1024.0


def judged_by_workers(
    folder: Path,
    test_count: int,
    round_count: int,
    process_count: int,
    peaks_bytes: list[float],
    *,
    has_parts: bool = False,
) -> Iterator[Judgement]:
    """The same of all tests, from processes of which each has a share of them; *peaks_bytes* gets theirs."""
    with ExitStack() as stack:
        workers = []
        for share in range(process_count):
            out = stack.enter_context(tempfile.TemporaryFile("w+", encoding="ascii"))
            words = _words(folder, test_count, round_count, process_count, has_parts=has_parts)
            command = [sys.executable, __file__, "--share", str(share), *words]
            workers.append((subprocess.Popen(command, stdout=out), out))  # noqa: S603  # ourselves
        for worker, out in workers:
            if worker.wait():
                raise RuntimeError(f"a worker ended with {worker.returncode}")
            out.seek(0)
            for line in out:
                if not line.startswith("{"):  # the last: what it has taken
                    peaks_bytes.append(float(line))
                    break
                yield judgement_from_json(parse(line, "a worker's judgement"), "a worker's judgement")


def _words(
    folder: Path, test_count: int, round_count: int, process_count: int, *, has_parts: bool
) -> list[str]:
    numbers = {"--tests": test_count, "--rounds": round_count, "--processes": process_count}
    words = ["--folder", str(folder), *(word for pair in numbers.items() for word in map(str, pair))]
    return [*words, "--parts"] if has_parts else words


def check(
    folder: Path, test_count: int, round_count: int, process_count: int, *, has_parts: bool = False
) -> Check:
    """Read, judge and write all of it, in this process or, where there are several, in them and this one."""
    started_s, peaks_bytes = time.monotonic(), list[float]()
    if process_count == 1:
        judgements = tuple(judged(folder, range(test_count), round_count, has_parts=has_parts))
    else:
        judgements = tuple(
            judged_by_workers(
                folder, test_count, round_count, process_count, peaks_bytes, has_parts=has_parts
            )
        )
    judged_s = time.monotonic()
    document = to_json.render(view.of(judgements), created="2020-01-02T00:00:00Z")
    ended_s = time.monotonic()
    if len(judgements) != test_count or any(judgement.comparison is None for judgement in judgements):
        raise RuntimeError("a test was not compared with its baseline")
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Check(
        judge_s=judged_s - started_s,
        document_s=ended_s - judged_s,
        cpu_s=sum(used.ru_utime + used.ru_stime for used in (own, others)),
        peak_bytes=own_peak_bytes() + sum(peaks_bytes),
        document_bytes=len(document),
    )


def check_in_own_process(
    folder: Path, test_count: int, round_count: int, process_count: int, *, has_parts: bool = False
) -> Check:
    words = _words(folder, test_count, round_count, process_count, has_parts=has_parts)
    command = [sys.executable, __file__, "--check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # ourselves
    return Check(**json.loads(done.stdout))


def _checked(folder: Path, options: argparse.Namespace) -> int:
    size_bytes = write_baselines(
        folder, options.tests, options.sessions, options.rounds, has_parts=options.parts
    )
    found = check_in_own_process(
        folder, options.tests, options.rounds, options.processes, has_parts=options.parts
    )
    sys.stdout.write(
        f"{options.tests:,} tests, {options.sessions} sessions of {options.rounds} rounds, "
        f"{size_bytes / 1e6:.0f} MB of baselines, a document of {found.document_bytes / 1e6:.0f} MB\n"
        f"{options.processes} process(es): read and judged in {found.judge_s:.1f} s, document in "
        f"{found.document_s:.1f} s, together {found.duration_s:.1f} s (processor {found.cpu_s:.1f} s)\n"
        f"most memory {found.peak_bytes / 1e6:.0f} MB\n"
        f"wanted: {MOST_S:g} s and {MOST_BYTES / 1e6:g} MB\n"
    )
    return 0 if found.duration_s <= MOST_S and found.peak_bytes <= MOST_BYTES else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--tests", type=int, default=TEST_COUNT, metavar="N")
    parser.add_argument("--sessions", type=int, default=SESSION_COUNT, metavar="K")
    parser.add_argument("--rounds", type=int, default=ROUND_COUNT, metavar="R")
    parser.add_argument("--processes", type=int, default=PROCESS_COUNT, metavar="P")
    parser.add_argument("--folder", type=Path, metavar="DIR")
    parser.add_argument("--parts", action="store_true", help="joules with two parts, sessions with names")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--share", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.share is not None:
        numbers = range(options.share, options.tests, options.processes)
        for judgement in judged(options.folder, numbers, options.rounds, has_parts=options.parts):
            sys.stdout.write(json.dumps(judgement_to_json(judgement)) + "\n")
        sys.stdout.write(f"{own_peak_bytes()}\n")
        return 0
    if options.check:
        found = check(
            options.folder, options.tests, options.rounds, options.processes, has_parts=options.parts
        )
        json.dump({name: getattr(found, name) for name in Check.__slots__}, sys.stdout)
        return 0
    if options.folder is not None:
        return _checked(options.folder, options)
    with tempfile.TemporaryDirectory(prefix="pytest-energy-scale-") as folder:
        return _checked(Path(folder), options)


if __name__ == "__main__":
    sys.exit(main())
