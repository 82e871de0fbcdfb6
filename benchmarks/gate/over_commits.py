"""How many planted steps `pytest-energy history` finds in simulated histories, and how many false ones.

    python benchmarks/gate/over_commits.py --out=docs/results/history-simulated.json
    python benchmarks/gate/over_commits.py --write=/tmp/runs   # one history as 200 files of runs

Rule 1: a run has what all its tests share (a board of several, and a walk of the room), each test its own
    noise and its own walk. Nothing of it is known to what looks for steps.
Rule 2: of the tests three have a step each, at a run drawn at random, ten runs or more from both ends. A step
    within three runs of it counts as found; any other, in a test or in all together, as false.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from pytest_energy.history.points import Point
from pytest_energy.history.tracks import History, history_of
from pytest_energy.judgement import Judgement, Summary, Verdict
from pytest_energy.model import Machine, Provenance, Reading, Record
from pytest_energy.report import to_json, view

SEEDS = 20
STEPS = (0.08, 0.15, -0.10)
ROUND_COUNT = 8
OWN_SD = 0.005  # relative uncertainty of a run's mean
NEAR = 3  # runs between a planted step and one that counts as it
EDGE = 10  # runs before the first and after the last planted step, at least
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a history is made of; standard deviations in ln J.

    Attributes:
        noise_sds: Least and most of a test's own noise between runs.
        board_sd: Between boards, of which each run has one of *board_count*.
        room_sd: Of the walk that all tests share, per run.
        walk_sd: Of a test's own walk, per run.
        odd_share: Share of runs of a test that are odd, by 20 % up.
    """

    name: str
    run_count: int = 200
    test_count: int = 50
    noise_sds: tuple[float, float] = (0.02, 0.03)
    board_sd: float = 0.02
    board_count: int = 6
    room_sd: float = 0.0
    walk_sd: float = 0.0
    odd_share: float = 0.0
    has_steps: bool = True


WORLDS = (
    World(name="noise alone", board_sd=0.0),
    World(name="boards that differ"),
    World(name="boards, and a room that drifts", room_sd=0.001),
    World(name="each test drifts by itself, too", room_sd=0.001, walk_sd=0.0005),
    World(name="one run in fifty is odd", odd_share=0.02),
    World(name="nothing changed, everything drifts", room_sd=0.001, walk_sd=0.0005, has_steps=False),
    World(name="30 runs of 10 tests", run_count=30, test_count=10),
    World(name="60 runs of 3 tests, no boards", run_count=60, test_count=3, board_sd=0.0),
    World(name="200 runs of one test", test_count=1, board_sd=0.0),
    World(
        name="200 runs of one test that drifts", test_count=1, board_sd=0.0, walk_sd=0.003, has_steps=False
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Joules by test and run, and the planted steps: test to run."""

    energies_j: "np.typing.NDArray[np.float64]"
    planted: Mapping[int, int]


def truth_of(world: World, seed: int) -> Truth:
    """One history of *world*."""
    chance = np.random.default_rng(seed)
    shape = (world.test_count, world.run_count)
    boards = chance.normal(0, world.board_sd, world.board_count)
    shared = boards[chance.integers(0, world.board_count, world.run_count)]
    shared = shared + np.cumsum(chance.normal(0, world.room_sd, world.run_count))
    noise_sds = chance.uniform(*world.noise_sds, (world.test_count, 1))
    levels = (
        np.log(chance.uniform(5, 500, (world.test_count, 1)))
        + shared
        + chance.normal(0, 1, shape) * noise_sds
    )
    levels += np.cumsum(chance.normal(0, world.walk_sd, shape), axis=1)
    levels += np.where(chance.random(shape) < world.odd_share, 0.2, 0.0)
    planted = {}
    for test, step in enumerate(STEPS[: world.test_count] if world.has_steps else ()):
        planted[test] = int(chance.integers(EDGE, world.run_count - EDGE + 1))
        levels[test, planted[test] :] += np.log1p(step)
    return Truth(energies_j=np.exp(levels), planted=planted)


def _test_id(test: int) -> str:
    return f"tests/test_layers.py::test_forward[{test:02}]"


def _machine(run: int) -> Machine:
    return Machine(
        key="h100-80gb-hbm3_xeon-8480_nvml",
        varying={"git_commit": sha256(f"commit {run}".encode()).hexdigest()[:40], "git_dirty": "no"},
    )


def _created(run: int) -> datetime:
    return FIRST + timedelta(days=run)


def points_of(truth: Truth) -> Iterator[Point]:
    """The runs of *truth* as a history reads them."""
    machines = [_machine(run) for run in range(truth.energies_j.shape[1])]
    for (test, run), energy_j in np.ndenumerate(truth.energies_j):
        yield Point(
            test_id=_test_id(test),
            created=_created(run),
            run=f"run {run}",
            machine=machines[run],
            provenance=Provenance.MEASURED,
            energy_j=float(energy_j),
            uncertainty_j=float(energy_j) * OWN_SD,
            facts=(("channels", "gpu:0"),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What was found in one history; *found_runs* are runs between a planted step and where it was marked."""

    found: int
    planted: int
    false: int
    false_shared: int
    covered: int
    duration_s: float


def score(history: History, truth: Truth, duration_s: float) -> Score:
    """*history* against *truth*."""
    places = {_test_id(test): (run, 1 + STEPS[test]) for test, run in truth.planted.items()}
    hits, covered, false, false_shared = set(), 0, 0, 0
    for track, step in history.steps:
        run, ratio = places.get(track.test_id, (None, 1.0))
        if run is not None and abs(step.place - run) <= NEAR and track.test_id not in hits:
            hits.add(track.test_id)
            covered += step.ratio_ci[0] <= ratio <= step.ratio_ci[1]
        elif track.test_id:
            false += 1
        else:
            false_shared += 1
    return Score(
        found=len(hits),
        planted=len(places),
        false=false,
        false_shared=false_shared,
        covered=covered,
        duration_s=duration_s,
    )


def scored(world: World, seed: int) -> Score:
    truth = truth_of(world, seed)
    points = list(points_of(truth))
    start_s = perf_counter()
    history = history_of(points)
    return score(history, truth, perf_counter() - start_s)


def summary(world: World, scores: Sequence[Score]) -> dict[str, object]:
    """What the scores of a world add up to."""
    return {
        "world": asdict(world),
        "histories": len(scores),
        "planted": sum(one.planted for one in scores),
        "found": sum(one.found for one in scores),
        "covered": sum(one.covered for one in scores),
        "false": sum(one.false for one in scores),
        "false_shared": sum(one.false_shared for one in scores),
        "most_false_in_one": max(one.false + one.false_shared for one in scores),
        "median_duration_s": round(median(one.duration_s for one in scores), 2),
    }


# ---- files ----


def judgement_of(test: int, run: int, energy_j: float, before_j: float) -> Judgement:
    """The judgement that a run's file has of one test: a regression where it is 10 % above the run before."""
    shares = np.linspace(0.99, 1.01, ROUND_COUNT)
    rounds = tuple(
        Reading(
            channels={"gpu:0": float(energy_j * share)},
            duration_s=float(energy_j) / 400,
            uncertainty_j=float(energy_j) * OWN_SD,
            provenance=Provenance.MEASURED,
        )
        for share in shares
    )
    record = Record(
        test_id=_test_id(test),
        created=_created(run).isoformat().replace("+00:00", "Z"),
        provenance=Provenance.MEASURED,
        machine=_machine(run),
        rounds=rounds,
        session=f"session {run}",
        ready_power={},
    )
    is_rise = energy_j > 1.1 * before_j
    change = f"{100 * (energy_j / before_j - 1):+.1f} % energy, allowed 5 %: {energy_j:.2f} J"
    return Judgement(
        record=record,
        verdict=Verdict.REGRESSION if is_rise else Verdict.PASS,
        reason=change,
        summary=Summary(
            energy_j=float(energy_j),
            energy_ci_j=(float(energy_j) * 0.99, float(energy_j) * 1.01),
            uncertainty_j=float(energy_j) * OWN_SD,
        ),
    )


def write(world: World, seed: int, folder: Path) -> None:
    """One history as the files of its runs."""
    folder.mkdir(parents=True, exist_ok=True)
    energies_j = truth_of(world, seed).energies_j
    for run in range(world.run_count):
        judgements = [
            judgement_of(test, run, float(row[run]), float(row[max(0, run - 1)]))
            for test, row in enumerate(energies_j)
        ]
        text = to_json.render(view.of(judgements), created=judgements[0].record.created)
        (folder / f"run-{run:03}.json").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="write the figures of all worlds to this JSON")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write one history as files of runs")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    if options.write:
        write(WORLDS[3], 1, options.write)
        return
    figures = [summary(world, [scored(world, seed) for seed in range(options.seeds)]) for world in WORLDS]
    text = json.dumps(figures, indent=1) + "\n"
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201  # a command line prints


if __name__ == "__main__":
    main()
