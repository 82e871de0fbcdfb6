"""The best batch size of each model of a run, as the sweep's table and its figure show it. Pure.

Rule 1: best is the fewest joules a sample; a size whose 95 % interval overlaps the best one's is a tie. Which
    sizes may be the best is an interval by itself, from `stats.best_place`.
Rule 2: past saturation the next size brings neither speed nor joules.
Rule 3: a size without joules has its reason; one that the run has no record of, but has of another
    model's sweep, is reported as that.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import TypeGuard

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Record
from pytest_energy.report.per_sample import Judged, PerSample, by_model, case_of, per_sample
from pytest_energy.stats.best_place import best_range
from pytest_energy.stats.centre import z_quantile
from pytest_energy.verdict.best_setting import RecordedSweep, SweptPoint, sweep_of

GROUP = "batch"
"""The group of a sweep's tests, each of which records `batch_size`; with a word of what they do if there are
several sweeps of a model: `batch inference`."""

MEMORY = "peak_memory_bytes"
"""The metric by which a test says how much memory of the device it had in use at once."""

LEAST_GAIN = 0.05
"""In samples per second, from one size to the next: less is saturation."""

_NO_TIME = "a round took less time than the clock resolves"
_OUT_OF_MEMORY = re.compile(r"out of memory", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size(PerSample):
    """One batch size of one model: its energy and speed.

    Attributes:
        batch_size: Samples in a step.
        samples_per_s: Mean over the rounds.
        samples_per_s_range: Of the slowest round and of the fastest.
        memory_bytes: Most memory of the device in use at once; `None` if the test doesn't record it.
        is_within: It keeps the limit of latency, if the sweep has one.
    """

    batch_size: int
    samples_per_s: float
    samples_per_s_range: tuple[float, float]
    memory_bytes: float | None = None
    is_within: bool = True

    def overlaps(self, other: "Size") -> bool:
        """Whether the two intervals have a value in common."""
        return self.interval_j[0] <= other.interval_j[1] and other.interval_j[0] <= self.interval_j[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSize:
    """A batch size without joules, and why. *batch_size* is `None` if nothing gives it."""

    name: str
    batch_size: int | None
    because: str

    @property
    def is_out_of_memory(self) -> bool:
        return _OUT_OF_MEMORY.search(self.because) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The sizes of one model.

    Attributes:
        model: The network, what its sweep does if the group says so, and what options changed of the work.
        sizes: Those with joules, ascending.
        lost: Those with a record that holds no usable joules.
        missing: Those of other sweeps of the run that this one has no record of.
        judgements: All that the sweep is made of.
        what: What varies.
    """

    model: str
    provenance: Provenance
    sizes: tuple[Size, ...]
    lost: tuple[LostSize, ...]
    missing: tuple[int, ...] = ()
    judgements: tuple[Judgement, ...] = field(repr=False)
    what: str = "batch size"

    @property
    def batch_sizes(self) -> frozenset[int]:
        """All that the run has a record of, as far as that tells its size."""
        lost = {size.batch_size for size in self.lost if size.batch_size is not None}
        return frozenset(lost | {size.batch_size for size in self.sizes})

    @property
    def machine_key(self) -> str:
        return self.judgements[0].record.machine.key


def sweeps(run: Judged) -> tuple[Sweep, ...]:
    """Every model's sweep in the groups of *run* that are sweeps, in the order met."""
    groups = dict.fromkeys(one.record.group for one in run.judgements if is_sweep(one.record.group))
    found = []
    for group in groups:
        all_sweeps = [_sweep(model, judgements) for model, judgements in by_model(run, group, model_of)]
        found += [_with_missing(sweep, all_sweeps) for sweep in all_sweeps]
    own = ((judgement, sweep_of(judgement.record)) for judgement in run.judgements)
    return (
        *found,
        *(_recorded(judgement, sweep) for judgement, sweep in own if sweep is not None and _is_drawn(sweep)),
    )


def _is_drawn(sweep: RecordedSweep) -> bool:
    """Whether its settings are whole numbers of at least 1, which an axis of doublings shows."""
    return all(point.name.isascii() and point.name.isdecimal() and int(point.name) for point in sweep.points)


def _recorded(judgement: Judgement, sweep: RecordedSweep) -> Sweep:
    """The sweep that one test made, with `energy.sweep`."""
    points = sorted(sweep.points, key=lambda point: int(point.name))
    sizes = [_recorded_size(point) for point in points]
    return Sweep(
        model=judgement.record.model or case_of(judgement.record),
        provenance=judgement.record.provenance,
        sizes=tuple(size for size in sizes if isinstance(size, Size)),
        lost=tuple(size for size in sizes if isinstance(size, LostSize)),
        judgements=(judgement,),
        what=sweep.what,
    )


def _recorded_size(point: SweptPoint) -> Size | LostSize:
    size = int(point.name)
    if point.energy_j is None or point.interval_j is None or point.durations_s is None:
        return LostSize(name=point.name, batch_size=size, because=point.absent_because)
    mean_s, fastest_s, slowest_s = point.durations_s
    if not fastest_s > 0:
        return LostSize(name=point.name, batch_size=size, because=_NO_TIME)
    return Size(
        batch_size=size,
        samples=point.samples,
        energy_j=point.energy_j,
        interval_j=point.interval_j,
        uncertainty_j=(point.interval_j[1] - point.energy_j) / z_quantile(0.025),
        net_j=None,
        samples_per_s=point.samples / mean_s,
        samples_per_s_range=(point.samples / slowest_s, point.samples / fastest_s),
        is_within=point.is_within,
    )


def is_sweep(group: str | None) -> TypeGuard[str]:
    """Whether the tests of *group* are a sweep of batch sizes."""
    return group is not None and (group == GROUP or group.startswith(f"{GROUP} "))


def _sweep(model: str, judgements: tuple[Judgement, ...]) -> Sweep:
    points = [_size(judgement) for judgement in judgements]
    sizes = [point for point in points if isinstance(point, Size)]
    lost = [point for point in points if isinstance(point, LostSize)]
    return Sweep(
        model=model,
        provenance=judgements[0].record.provenance,
        sizes=tuple(sorted(sizes, key=lambda size: size.batch_size)),
        lost=tuple(sorted(lost, key=lambda size: size.batch_size or 0)),
        judgements=judgements,
    )


def _with_missing(sweep: Sweep, all_sweeps: Iterable[Sweep]) -> Sweep:
    others = (
        other.batch_sizes
        for other in all_sweeps
        if (other.machine_key, other.provenance) == (sweep.machine_key, sweep.provenance)
    )
    return replace(sweep, missing=tuple(sorted(set().union(*others) - sweep.batch_sizes)))


def _size(judgement: Judgement) -> Size | LostSize:
    record, batch_size, spent = judgement.record, batch_size_of(judgement.record), per_sample(judgement)
    durations_s = [reading.duration_s for reading in record.usable_rounds]
    if isinstance(spent, str):
        because = spent
    elif batch_size is None:
        because = "the test records no batch_size"
    elif min(durations_s) <= 0 or not record.duration_s:
        because = _NO_TIME
    else:
        return Size(
            batch_size=batch_size,
            samples_per_s=spent.samples / record.duration_s,
            samples_per_s_range=(spent.samples / max(durations_s), spent.samples / min(durations_s)),
            memory_bytes=record.metrics.get(MEMORY),
            **asdict(spent),
        )
    return LostSize(name=case_of(record), batch_size=batch_size, because=because)


def batch_size_of(record: Record) -> int | None:
    """Samples in a step: what the test recorded, else what its model's name ends in (`vgg16@32`)."""
    recorded = record.metrics.get("batch_size")
    if recorded is not None:
        return int(recorded)
    end = (record.model or "").rpartition("@")[2]
    return int(end) if end.isascii() and end.isdecimal() else None


def model_of(record: Record) -> str:
    """The model's name without the batch size, with what group and parameters say: `vgg16-amp inference`."""
    case, size = case_of(record), batch_size_of(record)
    name = record.model or case.partition("-")[0]
    work = (record.group or "").removeprefix(GROUP)
    if size is None:
        return name + work
    stem = name.removesuffix(f"@{size}")
    variant = case.removeprefix(f"{stem}-{size}") if case.startswith(f"{stem}-{size}") else ""
    return (stem + variant if variant.startswith("-") else stem) + work


def best(sizes: Sequence[Size]) -> Size:
    """The one with the fewest joules a sample, of those within a limit of latency; of equals the smallest."""
    return min(sizes, key=lambda size: (not size.is_within, size.energy_j, size.batch_size))


def ties(sizes: Sequence[Size]) -> tuple[int, ...]:
    """Batch sizes that can't be separated from the best one."""
    first = best(sizes)
    others = (size for size in sizes if size is not first and size.is_within == first.is_within)
    return tuple(size.batch_size for size in others if size.overlaps(first))


def may_be_best(sizes: Sequence[Size]) -> tuple[int, int]:
    """The smallest and the largest batch size that may be the best, at 95 % confidence; *sizes* ascend."""
    known = [size for size in sizes if size.is_within] or sizes
    first, last = best_range([size.energy_j for size in known], [size.interval_j[1] for size in known])
    return known[first].batch_size, known[last].batch_size


def saturation(sizes: Sequence[Size]) -> int | None:
    """Smallest batch size after which the next one brings neither speed nor joules; `None` if each does."""
    for size, larger in pairwise(sizes):
        is_faster = larger.samples_per_s >= size.samples_per_s * (1 + LEAST_GAIN)
        is_frugaler = larger.energy_j < size.energy_j
        if not is_faster and not is_frugaler:
            return size.batch_size
    return None
