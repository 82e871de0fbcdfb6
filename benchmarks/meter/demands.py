"""What the meter is asked to show, and whether it did. Pure: figures in, rows out.

Each limit is a constant with its meaning beside it. Nothing else in this folder knows a limit.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, median

from benchmarks.meter.costs import SamplerCost, WindowCost
from benchmarks.meter.figures import Length

# The mean of the bursts of one length, by nominal seconds: distance from the truth at most so many percent.
MEAN_ERROR_PERCENT = {0.01: 1.0, 0.03: 1.0, 0.05: 1.0, 0.1: 1.0, 0.2: 1.0, 0.5: 1.0, 1.0: 0.3}

# Their standard deviation over their mean, the work's own spread included: at most so many percent.
VARIATION_PERCENT = {0.01: 8.0, 0.03: 5.0, 0.05: 3.0, 0.1: 2.5, 0.2: 1.3, 0.5: 0.7, 1.0: 0.35}

NOMINALS_S = tuple(MEAN_ERROR_PERCENT)

# Other tools, and the lengths from which to which their RMSE must be so many times ours.
PEERS = ("zeus", "codecarbon")
RMSE_RATIO = 15.0
RMSE_FROM_S, RMSE_TO_S = 0.05, 0.5

# Closing a window waits at most so many ticks: the counter settles within 0.6 of one, then two follow.
CLOSE_TICKS = 2.9

# The random delay and the wait together, of a round of so many seconds.
ROUND_S = 5.0
ROUND_SHARE_PERCENT = 5.0

# The sampler's thread, of one core; and reads of a counter for each of its ticks, once it is found.
SAMPLER_STATES = ("idle", "busy")
SAMPLER_PERCENT = 2.0
READS_A_TICK = 2.0

# Opening and closing a window that waits for nothing.
WINDOW_US = 50.0

# Joules of a GPU on which nothing runs, while another is loaded: distance from its power times the time.
# Told from the windows of this length and longer, all of them together.
IDLE_ERROR_PERCENT = 2.0
IDLE_FROM_S = 0.05

# A mean that is further beyond its limit than this many of its standard uncertainties is not within it,
# however badly it is known.
_CLEARLY = 2.0

_PERCENT = 100.0
_US = 1e6


class Outcome(StrEnum):
    MET = "met"
    NOT_MET = "not met"
    UNDECIDED = "not decided"
    """It wasn't measured, or the truth isn't known well enough to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One demand.

    Attributes:
        what: The quantity.
        demand: The limit, in words.
        found: What was measured, in words.
        outcome: Whether the demand is met.
        note: Why it can't be told, or what to know.
    """

    what: str
    demand: str
    found: str
    outcome: Outcome
    note: str = ""


def rows(
    lengths: Sequence[Length],
    *,
    peers_absent: Mapping[str, str],
    samplers: Mapping[str, SamplerCost],
    windows: Sequence[WindowCost],
    has_idle_gpu: bool,
) -> tuple[Row, ...]:
    """All demands that a run on one machine can show.

    Args:
        lengths: The figures of each length that was measured.
        peers_absent: Tool to why it wasn't measured.
        samplers: `idle` and `busy` to the sampler's cost.
        windows: Cost of windows that wait for nothing.
        has_idle_gpu: Whether other GPUs were metered that had no work.
    """
    by_nominal = {length.nominal_s: length for length in lengths}
    return (
        *(row for nominal_s in NOMINALS_S for row in _accuracy(nominal_s, by_nominal.get(nominal_s))),
        *(row for peer in PEERS for row in _ratios(peer, lengths, peers_absent.get(peer))),
        *_waits(lengths),
        *(row for state in SAMPLER_STATES for row in _sampler(state, samplers.get(state))),
        *(_window(cost) for cost in windows),
        *(_idle(lengths) if has_idle_gpu else ()),
    )


def _at_most(value: float, limit: float) -> Outcome:
    return Outcome.MET if value <= limit else Outcome.NOT_MET


def _accuracy(nominal_s: float, length: Length | None) -> Iterator[Row]:
    name = f"bursts of {nominal_s * 1e3:g} ms"
    mean_limit, variation_limit = MEAN_ERROR_PERCENT[nominal_s], VARIATION_PERCENT[nominal_s]
    mean_demand, variation_demand = f"within {mean_limit:g} %", f"at most {variation_limit:g} %"
    ours = None if length is None else length.ours
    if length is None or ours is None:
        note = "not measured" if length is None else "; ".join(sorted(set(length.voids)))
        yield _untold(f"{name}: mean", mean_demand, note)
        yield _untold(f"{name}: CV", variation_demand, note)
        return
    error = ours.mean_error_share * _PERCENT
    unsure = math.hypot(length.truth.uncertainty_share, ours.mean_error_spread_share) * _PERCENT
    is_told = unsure <= mean_limit or abs(error) > mean_limit + _CLEARLY * unsure
    yield Row(
        what=f"{name}: mean",
        demand=mean_demand,
        found=f"{error:+.3g} +- {unsure:.2g} %",
        outcome=_at_most(abs(error), mean_limit) if is_told else Outcome.UNDECIDED,
        note="" if is_told else "the truth, or the mean of so few bursts, is known less well than that",
    )
    variation = ours.variation_share
    yield Row(
        what=f"{name}: CV",
        demand=variation_demand,
        found="-" if variation is None else f"{variation * _PERCENT:.3g} %",
        outcome=Outcome.UNDECIDED if variation is None else _at_most(variation * _PERCENT, variation_limit),
        note=_void_note(length),
    )


def _void_note(length: Length) -> str:
    if not length.voids:
        return ""
    return f"{len(length.voids)} of {length.truth.count} void: {length.voids[0]}"


def _ratios(peer: str, lengths: Sequence[Length], absent: str | None) -> Iterator[Row]:
    demand = f"at least {RMSE_RATIO:g}"
    for nominal_s in NOMINALS_S:
        if not RMSE_FROM_S <= nominal_s <= RMSE_TO_S:
            continue
        what = f"bursts of {nominal_s * 1e3:g} ms: RMSE of {peer} over ours"
        length = next((found for found in lengths if found.nominal_s == nominal_s), None)
        ratio = None if length is None else length.rmse_ratio(peer)
        if ratio is None:
            yield _untold(what, demand, absent or "not measured")
        else:
            outcome = Outcome.MET if ratio >= RMSE_RATIO else Outcome.NOT_MET
            yield Row(what=what, demand=demand, found=f"{ratio:.1f}", outcome=outcome)


def _waits(lengths: Sequence[Length]) -> Iterator[Row]:
    close_ticks = [ticks for length in lengths for ticks in length.waits.close_ticks]
    rounds_s = [round_s for length in lengths for round_s in length.waits.rounds_s]
    what, demand = "wait at the close of a window", f"at most {CLOSE_TICKS:g} ticks"
    if close_ticks:
        longest = max(close_ticks)
        middle = f"p50 {median(close_ticks):.2f}, longest {longest:.2f} ticks"
        yield Row(
            what=what,
            demand=demand,
            found=f"{middle} ({len(close_ticks)} windows)",
            outcome=_at_most(longest, CLOSE_TICKS),
        )
    else:
        yield _untold(what, demand)
    what = f"random delay and waits, of a round of {ROUND_S:g} s"
    demand = f"less than {ROUND_SHARE_PERCENT:g} %"
    if rounds_s:
        share, longest = (s / ROUND_S * _PERCENT for s in (fmean(rounds_s), max(rounds_s)))
        yield Row(
            what=what,
            demand=demand,
            found=f"{share:.2f} % on the mean of {len(rounds_s)}, longest {longest:.2f} %",
            outcome=Outcome.MET if share < ROUND_SHARE_PERCENT else Outcome.NOT_MET,
        )
    else:
        yield _untold(what, demand, "no window was opened right after another")


def _untold(what: str, demand: str, note: str = "not measured") -> Row:
    return Row(what=what, demand=demand, found="-", outcome=Outcome.UNDECIDED, note=note)


def _sampler(state: str, cost: SamplerCost | None) -> Iterator[Row]:
    time_what, time_demand = f"sampler, {state}: processor time", f"at most {SAMPLER_PERCENT:g} % of a core"
    reads_what, reads_demand = f"sampler, {state}: reads of a counter a tick", f"at most {READS_A_TICK:g}"
    if cost is None:
        yield _untold(time_what, time_demand)
        yield _untold(reads_what, reads_demand)
        return
    share, most = cost.cpu_share * _PERCENT, max(cost.reads_a_tick.values())
    middle_s, p95_s = cost.call_s
    yield Row(
        what=time_what, demand=time_demand, found=f"{share:.2f} %", outcome=_at_most(share, SAMPLER_PERCENT)
    )
    yield Row(
        what=reads_what,
        demand=reads_demand,
        found=f"{most:.2f} (a read takes {middle_s * 1e3:.2f} ms, p95 {p95_s * 1e3:.2f} ms)",
        outcome=_at_most(most, READS_A_TICK),
    )


def _window(cost: WindowCost) -> Row:
    median_us, p95_us = cost.median_s * _US, cost.p95_s * _US
    return Row(
        what=f"begin and end of a window without a wait, {cost.sensor} ({cost.channel_count} channels)",
        demand=f"at most {WINDOW_US:g} us",
        found=f"p50 {median_us:.0f} us, p95 {p95_us:.0f} us, longest {cost.longest_s * _US:.0f} us",
        outcome=_at_most(median_us, WINDOW_US),
        note="the median is compared with the limit",
    )


def _idle(lengths: Sequence[Length]) -> Iterator[Row]:
    for length in lengths:
        for name, idle in length.idle_j.items():
            if length.nominal_s < IDLE_FROM_S:
                continue
            error = idle.error_share * _PERCENT
            yield Row(
                what=f"{name}, at rest beside a load of {length.nominal_s * 1e3:g} ms",
                demand=f"within {IDLE_ERROR_PERCENT:g} % of its power x time",
                found=f"{error:+.3g} % ({idle.read_j:.1f} of {idle.true_j:.1f} J at {idle.power_w:.1f} W)",
                outcome=_at_most(abs(error), IDLE_ERROR_PERCENT),
            )
