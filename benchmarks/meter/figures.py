"""Figures out of series: errors, spreads and their ratios. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from benchmarks.meter.bursts import LOADED, PeerSeries, Series, gaps_of
from benchmarks.meter.truth import (
    Quiet,
    Read,
    Truth,
    changes_in,
    counter_at,
    quiet_power,
    series_truth,
    ticks_of,
)
from pytest_energy.errors import NotMeasurable


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How far the readings of one tool are from the truth of its stretches.

    Attributes:
        count: Readings.
        mean_error_share: Mean of the readings less the truth, as a share of the truth.
        variation_share: Standard deviation of the readings as a share of their mean (CV); `None` where that
            is 0. The work's own spread is in it.
        rmse_share: Root of the mean squared distance from the truth, as a share of the truth.
        zero_count: Readings of 0 J.
    """

    count: int
    mean_error_share: float
    variation_share: float | None
    rmse_share: float
    zero_count: int

    @property
    def mean_error_spread_share(self) -> float:
        """Standard error of the mean error, from how far the readings differ."""
        return (self.variation_share or 0.0) / math.sqrt(self.count)


def score(readings_j: Sequence[float], truth_j: float) -> Score | None:
    """Errors of *readings_j*; `None` with fewer than two, which have no spread."""
    if len(readings_j) < 2:
        return None
    mean_j = fmean(readings_j)
    return Score(
        count=len(readings_j),
        mean_error_share=mean_j / truth_j - 1,
        variation_share=stdev(readings_j) / mean_j if mean_j > 0 else None,
        rmse_share=math.sqrt(fmean((reading_j / truth_j - 1) ** 2 for reading_j in readings_j)),
        zero_count=sum(reading_j == 0 for reading_j in readings_j),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What the windows of a series cost in time, in ticks.

    Attributes:
        close_ticks: Of each window: seconds from the burst's end to the end of closing, over the tick.
        rounds_s: Of each window opened right after another: seconds of opening and closing together.
    """

    close_ticks: tuple[float, ...]
    rounds_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """All figures of one length of bursts.

    Attributes:
        nominal_s: The length that was asked for.
        off_beat_share: How far the ticks of our own series are from a beat, as a share of it.
        quiet: Quiet power of our own series.
        truth: Of the bursts in our own windows.
        ours: The meter's readings of the loaded channel against it.
        stated_share: Root mean square of the uncertainties that the readings state, as a share of the truth.
        naive: Counter after minus counter before, for the same windows.
        voids: Why windows were void, one sentence each.
        peers: Name of a tool to its truth and score, from a series of its own.
        waits: What the windows cost.
        idle_j: For each channel that isn't loaded: joules of all windows, as read and as they must be.
    """

    nominal_s: float
    off_beat_share: float
    quiet: Quiet
    truth: Truth
    ours: Score | None
    stated_share: float | None
    naive: Score | None
    voids: tuple[str, ...]
    peers: dict[str, tuple[Truth, Score | None]]
    waits: Waits
    idle_j: dict[str, "IdleJoules"]

    def rmse_ratio(self, peer: str) -> float | None:
        """How many times the other tool's RMSE is ours, each as a share of its truth."""
        theirs = self.peers[peer][1] if peer in self.peers else None
        if theirs is None or self.ours is None or self.ours.rmse_share == 0:
            return None
        return theirs.rmse_share / self.ours.rmse_share


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleJoules:
    """Joules of a channel on which nothing ran, over all windows of a series.

    Attributes:
        read_j: What the meter read, summed.
        true_j: The channel's mean power over the whole series, times the windows' time.
        power_w: That mean power.
    """

    read_j: float
    true_j: float
    power_w: float

    @property
    def error_share(self) -> float:
        return self.read_j / self.true_j - 1


def figures(series: Series, peers: dict[str, tuple[Truth, Score | None]]) -> Length:
    """Figures of one length, with those that other tools have of it.

    Raises:
        NotMeasurable: The truth of a series can't be told.
    """
    reads = series.reads[LOADED]
    ticks, stretches = ticks_of(changes_in(reads), series.tick_s), series.stretches()
    quiet = quiet_power(ticks, gaps_of(stretches, series.rest_s))
    truth = series_truth(ticks, stretches, quiet)
    valid = [window for window in series.windows if window.reading.void_because is None]
    stated_j = [window.reading.uncertainty_j for window in valid]
    return Length(
        nominal_s=series.nominal_s,
        off_beat_share=ticks.off_beat_share,
        quiet=quiet,
        truth=truth,
        ours=score([window.reading.channels[LOADED] for window in valid], truth.energy_j),
        stated_share=math.sqrt(fmean(u * u for u in stated_j)) / truth.energy_j if stated_j else None,
        naive=score(
            [counter_at(reads, stop_s) - counter_at(reads, start_s) for start_s, stop_s in stretches],
            truth.energy_j,
        ),
        voids=tuple(w.reading.void_because for w in series.windows if w.reading.void_because is not None),
        peers=peers,
        waits=waits(series),
        idle_j=_idle_joules(series),
    )


def peer_scores(series: PeerSeries) -> dict[str, tuple[Truth, Score | None]]:
    """Truth and score of each tool, each for its own stretches.

    Raises:
        NotMeasurable: The truth of the series can't be told.
    """
    ticks = ticks_of(changes_in(series.reads), series.tick_s)
    quiet = quiet_power(ticks, gaps_of(series.busy_s, series.rest_s))
    found = {}
    for name, windows in series.windows.items():
        truth = series_truth(ticks, [window.stretch for window in windows], quiet)
        found[name] = truth, score([window.energy_j for window in windows], truth.energy_j)
    return found


def waits(series: Series) -> Waits:
    return Waits(
        close_ticks=tuple(window.close_s / series.tick_s for window in series.windows),
        rounds_s=tuple(w.open_s + w.close_s for w in series.windows if w.is_back_to_back),
    )


def _idle_joules(series: Series) -> dict[str, IdleJoules]:
    valid = [window for window in series.windows if window.reading.void_because is None]
    duration_s = math.fsum(stop_s - start_s for start_s, stop_s in (window.stretch for window in valid))
    found = {}
    for name, reads in series.reads.items():
        power_w = mean_power_w(reads, series.tick_s) if name != LOADED and valid else None
        if power_w is not None:
            found[name] = IdleJoules(
                read_j=math.fsum(window.reading.channels[name] for window in valid),
                true_j=power_w * duration_s,
                power_w=power_w,
            )
    return found


def mean_power_w(reads: Sequence[Read], tick_s: float | None = None) -> float | None:
    """Mean power from the first tick of a counter to the last; `None` where there are too few."""
    try:
        ticks = ticks_of(changes_in(reads), tick_s).ticks
    except NotMeasurable:
        return None
    return (ticks[-1].joules - ticks[0].joules) / (ticks[-1].time_s - ticks[0].time_s)
