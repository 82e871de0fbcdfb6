"""A history: every series with its levels, and the steps between them. Pure.

Rule 1: steps are looked for in what is left of a test when what all tests of its run have in common is
    removed; that is a track of its own. What a reader sees is what was measured.
Rule 2: the chance of a false step is that of the whole page: each place at which one is looked for gets an
    equal share of it (Bonferroni), so that fifty tests have no more of them than one test has.
Rule 3: no step is between two runs of one commit, if nothing differed from it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from pytest_energy.history.commits import NO_COMMITS, Commits
from pytest_energy.history.points import Point, once
from pytest_energy.history.series import Mark, Series, series_of
from pytest_energy.history.shared import Factor, Group, factors, group_of
from pytest_energy.model import Provenance
from pytest_energy.stats.change_points import Memory, Values, candidates, memory_of, steps, without_spikes
from pytest_energy.stats.change_points import Step as Found

PAGE_CHANCE = 0.05
"""Chance that a history in which nothing changed has a step anywhere."""

Kind = Literal["round", "sample", "ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of a level, between two runs.

    Attributes:
        place: Of the first mark of the new level in its track.
        before: The last mark of the old level.
        after: The first mark of the new one.
        ratio: New level over old, without what all tests of a run have in common.
        ratio_ci: 95 % interval of it.
        run_count: Runs of the new level, up to the next step.
        is_newest: No step of its track is newer.
    """

    place: int
    before: Mark
    after: Mark
    ratio: float
    ratio_ci: tuple[float, float]
    run_count: int
    is_newest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A series with its levels and its steps.

    Attributes:
        test_id: Empty for what all tests of a machine have in common.
        kind: What the values of the marks are: joules per round or per sample, or a ratio to the middle run.
        differs: As in `Series`.
        levels: First and last place of each level, and its value: geometric mean of the marks that count.
        has_shared: Whether what all tests have in common was removed before steps were looked for.
    """

    test_id: str
    machine_key: str
    provenance: Provenance
    kind: Kind
    channels: str
    marks: tuple[Mark, ...]
    steps: tuple[Step, ...] = ()
    levels: tuple[tuple[int, int, float], ...] = ()
    differs: tuple[tuple[str, str], ...] = ()
    has_shared: bool = False

    @property
    def newest_step(self) -> Step | None:
        return self.steps[-1] if self.steps else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that is no part of the history, and why."""

    source: str
    because: str

    @property
    def text(self) -> str:
        """Both, the file once."""
        return self.because if self.because.startswith(self.source) else f"{self.source}: {self.because}"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Runs over commits.

    Attributes:
        tracks: Those whose newest step is newest first; without steps by name, what all tests share last.
        left_out: Files that could not be used.
        is_by_commit: Whether runs are in the order of their commits, not of their times.
    """

    tracks: tuple[Track, ...]
    commits: Commits = NO_COMMITS
    left_out: tuple[LeftOut, ...] = ()
    is_by_commit: bool = False

    @property
    def steps(self) -> tuple[tuple[Track, Step], ...]:
        """Every step with its track, in the order of the tracks, the newest of each first."""
        return tuple((track, step) for track in self.tracks for step in reversed(track.steps))

    @property
    def tests(self) -> tuple[Track, ...]:
        """The tracks that are of a test."""
        return tuple(track for track in self.tracks if track.test_id)

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(mark.point for track in self.tests for mark in track.marks)


def history_of(
    points: Iterable[Point],
    *,
    commits: Commits = NO_COMMITS,
    left_out: Iterable[LeftOut] = (),
    chance: float = PAGE_CHANCE,
) -> History:
    """The history that *points* make; *chance* is that of a false step in all of it."""
    listed = once(points)
    series = series_of(listed, commits)
    by_group = factors(series)
    looks = [
        *(_Look(track=_track(one), values=_values(one, by_group.get(group_of(one), {}))) for one in series),
        *(_shared_look(group, by_run, commits) for group, by_run in by_group.items()),
    ]
    looks = [
        replace(
            look, track=replace(look.track, has_shared=bool(look.track.test_id) and _group(look) in by_group)
        )
        for look in looks
    ]
    return History(
        tracks=_newest_first(_stepped(looks, chance), commits),
        commits=commits,
        left_out=tuple(left_out),
        is_by_commit=bool(listed) and all(point.commit in commits.ranks for point in listed),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """A track, and the values in which its steps are looked for."""

    track: Track
    values: Values


def _group(look: _Look) -> Group:
    return look.track.machine_key, look.track.channels, look.track.provenance


def _track(series: Series) -> Track:
    return Track(
        test_id=series.test_id,
        machine_key=series.machine_key,
        provenance=series.provenance,
        kind=series.unit,
        channels=series.channels,
        marks=series.marks,
        differs=series.differs,
    )


def _values(series: Series, by_run: "dict[str, Factor]") -> Values:
    """The levels of *series* without what its runs have in common: rule 1."""
    used = series.used
    shared = [by_run.get(mark.point.run) for mark in used]
    return Values(
        levels=without_spikes(
            [mark.level - (factor.rise if factor else 0.0) for mark, factor in zip(used, shared, strict=True)]
        ),
        own_sds=tuple(
            math.hypot(mark.own_sd, factor.sd if factor else 0.0)
            for mark, factor in zip(used, shared, strict=True)
        ),
        may_step=_may_step(used),
    )


def _may_step(marks: Sequence[Mark]) -> tuple[bool, ...]:
    """Whether the code may have changed just before each of *marks*: rule 3."""
    points = [mark.point for mark in marks]
    same = (
        bool(after.commit) and before.commit == after.commit and not (before.is_dirty or after.is_dirty)
        for before, after in pairwise(points)
    )
    return (True, *(not one for one in same))[: len(points)]


def _shared_look(group: Group, by_run: "dict[str, Factor]", commits: Commits) -> _Look:
    """What all tests have in common, as a track: a ratio to the middle run."""
    by_point = {id(factor.mark.point): factor for factor in by_run.values()}
    listed = commits.ordered(factor.mark.point for factor in by_run.values())
    ordered = [by_point[id(point)] for point in listed]
    marks = tuple(
        Mark(
            point=factor.mark.point,
            value=math.exp(factor.rise),
            uncertainty=math.exp(factor.rise) * factor.sd,
        )
        for factor in ordered
    )
    track = Track(
        test_id="", machine_key=group[0], channels=group[1], provenance=group[2], kind="ratio", marks=marks
    )
    values = Values(
        levels=without_spikes([factor.rise for factor in ordered]),
        own_sds=tuple(factor.sd for factor in ordered),
        may_step=_may_step(marks),
    )
    return _Look(track=track, values=values)


def _stepped(looks: Sequence[_Look], chance: float) -> list[Track]:
    """The tracks of *looks* with their steps: rule 2."""
    each = chance / max(1, sum(look.values.place_count for look in looks))
    places = [candidates(look.values) for look in looks]
    memories = _memories(looks, places)
    return [
        _with_steps(look.track, steps(look.values, chosen, chance=each, memory=memory))
        for look, chosen, memory in zip(looks, places, memories, strict=True)
    ]


def _memories(looks: Sequence[_Look], places: Sequence[tuple[int, ...]]) -> list[Memory]:
    """What the values of each track remember: pooled over the tests of a group; the shared track's own."""
    sets: dict[tuple[Group, bool], list[tuple[Values, tuple[int, ...]]]] = {}
    keys = [(_group(look), bool(look.track.test_id)) for look in looks]
    for key, look, chosen in zip(keys, looks, places, strict=True):
        sets.setdefault(key, []).append((look.values, chosen))
    memories = {key: memory_of(members) for key, members in sets.items()}
    return [memories[key] for key in keys]


def _with_steps(track: Track, found: Sequence[Found]) -> Track:
    used = [place for place, mark in enumerate(track.marks) if not mark.why_unused]
    edges = (0, *(step.place for step in found), len(used))
    stretches = [used[start:end] for start, end in pairwise(edges)]
    return replace(
        track,
        steps=tuple(
            Step(
                place=after[0],
                before=track.marks[before[-1]],
                after=track.marks[after[0]],
                ratio=math.exp(step.rise),
                ratio_ci=(math.exp(step.rise_ci[0]), math.exp(step.rise_ci[1])),
                run_count=len(after),
                is_newest=step is found[-1],
            )
            for step, (before, after) in zip(found, pairwise(stretches), strict=True)
        ),
        levels=tuple(_level(track.marks, stretch) for stretch in stretches if stretch),
    )


def _level(marks: Sequence[Mark], places: Sequence[int]) -> tuple[int, int, float]:
    mean = math.fsum(marks[place].level for place in places) / len(places)
    return places[0], places[-1], math.exp(mean)


def _newest_first(tracks: Sequence[Track], commits: Commits) -> tuple[Track, ...]:
    """By their newest step; those without one by name, what all tests share last."""
    newest = [step.after.point for track in tracks if (step := track.newest_step)]
    ranks = {id(point): rank for rank, point in enumerate(commits.ordered(newest))}

    def place(track: Track) -> tuple[int, bool, str, str]:
        step = track.newest_step
        rank = -1 if step is None else ranks[id(step.after.point)]
        return -rank, not track.test_id, track.test_id, track.machine_key

    return tuple(sorted(tracks, key=place))
