"""Points of histories: a call names the one fact that matters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from pytest_energy.history.commits import Commit, Commits
from pytest_energy.history.points import Point
from pytest_energy.judgement import Verdict
from pytest_energy.model import Machine, Provenance

BEGIN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
CHANNELS = (("channels", "gpu:0"),)
KEY = "h100_xeon_nvml"
TEST = "tests/test_model.py::test_training"


def commit_name(number: int) -> str:
    """Forty digits that differ in the first seven, as those of commits do."""
    return f"{number:07x}{'0' * 33}"


def point(
    energy_j: float | None = 100.0,
    *,
    number: int = 0,
    test_id: str = TEST,
    commit: str | None = None,
    is_dirty: bool = False,
    key: str = KEY,
    provenance: Provenance = Provenance.MEASURED,
    facts: Iterable[tuple[str, str]] = CHANNELS,
    verdict: Verdict | None = Verdict.PASS,
    run: str | None = None,
) -> Point:
    """The point of run *number*, a day after the one before, at its own commit unless that is given."""
    name = commit_name(number) if commit is None else commit
    shown = {"git_commit": name, "git_dirty": "yes" if is_dirty else "no"} if name else {}
    return Point(
        test_id=test_id,
        created=BEGIN + timedelta(days=number),
        run=f"run {number}" if run is None else run,
        machine=Machine(key=key, varying=shown),
        provenance=provenance,
        energy_j=energy_j,
        uncertainty_j=0.0 if energy_j is None else energy_j / 200,
        absent_because="no sensor on this machine" if energy_j is None else "",
        facts=tuple(facts),
        verdict=verdict,
        source=f"run-{number}.json",
    )


def runs(energies_j: Sequence[float | None], *, test_id: str = TEST, first: int = 0) -> list[Point]:
    """A point for each of *energies_j*, the oldest first."""
    return [
        point(energy_j, number=number, test_id=test_id) for number, energy_j in enumerate(energies_j, first)
    ]


def noisy(
    count: int,
    *,
    energy_j: float = 100.0,
    sd: float = 0.02,
    seed: int = 1,
    steps: Mapping[int, float] | None = None,
) -> list[float]:
    """Joules of *count* runs around *energy_j*; *steps* are ratios by the run from which on they hold."""
    levels = np.random.default_rng(seed).normal(np.log(energy_j), sd, count)
    for place, ratio in (steps or {}).items():
        levels[place:] += np.log(ratio)
    return [float(one) for one in np.exp(levels)]


def commits(count: int, *, aside: Iterable[int] = (), web: str = "") -> Commits:
    """What a repository knows of the commits of *count* runs, in their order, those *aside* not in HEAD's."""
    known = {
        commit_name(number): Commit(
            name=commit_name(number), subject=f"Change {number}", created=BEGIN + timedelta(days=number)
        )
        for number in range(count)
    }
    return Commits(
        known=known,
        ranks={name: number for number, name in enumerate(known)},
        line=frozenset(known) - {commit_name(number) for number in aside},
        web=web,
    )


def failed(one: Point, reason: str = "+20.1 % energy [+11.6, +29.3], allowed 5 %") -> Point:
    return replace(one, verdict=Verdict.REGRESSION, reason=reason)
