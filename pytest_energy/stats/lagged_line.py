"""A second meter's rows as a line over power that is known in windows, some seconds later. Pure.

    row(t) = offset + gain * power(t - lag), each row a mean over the seconds before its time

Rule 1: a row is a mean over its span. Where a part of the span is outside every window, that part has a
    power that nobody knows: one of a common mean and spread, which are fitted too. So a row at a window's
    edge shows the lag, and pulls neither gain nor offset.
Rule 2: the lag is the one of the largest likelihood. It is searched for on a grid, then by Nelder and Mead.
        A meter may also be slow: its rows are then of a power that approaches the true one exponentially. It
        is taken for slow only if its rows are clearly likelier so.
Rule 3: intervals are from resampled windows, each with its rows, because rows in one window are not
    independent. They are widened as few windows ask for, and the lag's by what times are rounded to.
Rule 4: what the rows can't show is absent, with the reason: too few windows, a power that hardly varies, a
    lag at the end of what was searched.

Source:
    Linear mixed model by maximum likelihood: Pinheiro and Bates 2000, Mixed-Effects Models, section 2.2.
    Resampled blocks, and the expanded percentile interval: Hesterberg 2015, What Teachers Should Know About
    the Bootstrap, The American Statistician 69, 371. Errors in both variables: Fuller 1987, Measurement Error
    Models, section 1.1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING

from pytest_energy.errors import Absent
from pytest_energy.lazy_module import LazyModule
from pytest_energy.stats.approach import approached
from pytest_energy.stats.bounded_mean import Interval
from pytest_energy.stats.student import t_quantile
from pytest_energy.units import to_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
else:
    np = LazyModule("numpy")

FEWEST_WINDOWS = 8
"""With fewer a resample often holds one window several times and most not at all: intervals are too short."""

RESAMPLE_COUNT = 1000
_SEED = 1  # fixed, so that a report that is written twice is the same
_TAIL = 0.025
_CHUNK = 50  # resamples that are solved at once: bounds the memory of a thousand windows

# An error of each window's power makes the gain too small by its variance over that of the windows' power:
# with a spread of ten errors by 1 %. And a spread below 2 % of the power is left to chance in any case.
_FEWEST_ERRORS = 10.0
_LEAST_SPREAD = 0.02
_MOST_HALF_WIDTH = 0.5  # of a gain: a wider interval is no figure
_TIME_ROUNDING_S = 1e-3  # of the steps of power, and of a window's start

# Places of the lag, in spans of a row: around the estimate wide enough for a resample that fits elsewhere,
# and fine enough for one that doesn't.
_COARSE = 0.25
_REACHES = ((10.0, 0.25), (2.0, 0.05), (0.2, 0.005))

# Of the meter's spread. Below the least a row would be exact, and the likelihood without bound.
_LEAST_NOISE, _LEAST_OUTSIDE = 1e-3, 0.1
_WHOLE = 1e-9  # of a row's span: what floats lose
_RIDGE = 1e-12  # of the matrix' trace: a resample may lack what shows one of the three
_MOST_LOG = 50.0  # of a power: e to it is no power of a machine, and its square a number still
_FIRST_NOISES = (0.01, 0.03, 0.1, 0.3)

# Time constants that are tried first, in spans of a row. And what twice the likelihood's logarithm must gain:
# by chance it does in less than one of a thousand (chi-squared of one degree, and 0 is its edge).
_FIRST_SLOWS = (0.1, 0.3, 1.0, 3.0)
_CLEARLY_LIKELIER = 12.0

Steps = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWindow:
    """A window whose power is known.

    Attributes:
        steps: Pairs of a time and of the watts from then until the next pair; the last one ends the last
            step.
        uncertainty_w: Standard uncertainty of its mean power.
    """

    steps: Steps
    uncertainty_w: float = 0.0

    @property
    def start_s(self) -> float:
        return self.steps[0][0]

    @property
    def stop_s(self) -> float:
        return self.steps[-1][0]

    @property
    def power_w(self) -> float:
        """Its mean."""
        return self.energy_j / (self.stop_s - self.start_s)

    @property
    def energy_j(self) -> float:
        ends = pairwise(self.steps)
        return math.fsum(power_w * (until_s - from_s) for (from_s, power_w), (until_s, _) in ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of the second meter: mean watts over the *span_s* that end at *stop_s*, in order of time."""

    stop_s: "Floats"
    span_s: "Floats"
    power_w: "Floats"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggedLine:
    """What the rows show of the windows' power, each value with its 95 % interval.

    Attributes:
        gain: Watts of the rows per watt of the windows.
        offset_w: Of the rows where the windows would have 0 W.
        lag_s: From a window's power to the row that shows it.
        noise_w: Standard deviation of a row from the line; `None` if there is none.
        slow_s: Time constant by which the rows approach a new power, after the lag; 0 if they show none.
        window_count: Windows that have rows.
        row_count: Rows that lie in windows, in part at least.
    """

    gain: Interval | Absent
    offset_w: Interval | Absent
    lag_s: Interval | Absent
    noise_w: float | None = None
    slow_s: float = 0.0
    window_count: int = 0
    row_count: int = 0


def lagged_line(windows: Sequence[KnownWindow], rows: Rows, *, most_lag_s: float) -> LaggedLine:
    """The line of *rows* over the power of *windows*.

    Args:
        windows: In order of time; no two overlap.
        rows: On the same clock, but for the lag.
        most_lag_s: Lags up to it are searched, either way.
    """
    rows = _near(windows, rows, most_lag_s)
    because = _why_too_little(windows, rows)
    if because is not None:
        return _without(because)
    model = _Model(windows, rows)
    fit = model.fitted(most_lag_s)
    owners, window_count, row_count = model.owners(fit.lag_s)
    if window_count < FEWEST_WINDOWS:
        return _without(_too_few(window_count))
    draws = _resampled(model, fit, owners)
    ends = np.quantile(draws, _tails(window_count), axis=0)
    gain, offset_w, lag_s = (
        Interval(value=float(value), lower=float(lower), upper=float(upper))
        for value, lower, upper in zip(model.line(fit), *ends, strict=True)
    )
    lag_s = replace(lag_s, lower=lag_s.lower - _TIME_ROUNDING_S, upper=lag_s.upper + _TIME_ROUNDING_S)
    no_lag = _why_no_lag(lag_s, fit.lag_s, most_lag_s, model.span_s)
    no_gain = no_lag or _why_no_gain(gain, [windows[place] for place in set(owners)], fit.noise_w)
    return LaggedLine(
        gain=gain if no_gain is None else Absent(no_gain),
        offset_w=offset_w if no_gain is None else Absent(no_gain),
        lag_s=lag_s if no_lag is None else Absent(no_lag),
        noise_w=fit.noise_w if no_gain is None else None,
        slow_s=fit.slow_s if no_lag is None else 0.0,
        window_count=window_count,
        row_count=row_count,
    )


def _tails(count: int) -> tuple[float, float]:
    """The shares of resamples of *count* windows that the ends of a 95 % interval are at."""
    tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * t_quantile(count - 1, _TAIL))
    return tail, 1.0 - tail


def rows_inside(
    windows: Sequence[KnownWindow], rows: Rows, *, lag_s: float
) -> "tuple[NDArray[np.int64], NDArray[np.int64], Floats]":
    """The rows that lie wholly in windows at *lag_s*: places, those of their windows, and the power there."""
    model = _Model(windows, rows)
    factors = model.factors(lag_s)
    inside = np.flatnonzero(factors[:, 1] >= 1.0 - _WHOLE)
    return inside, model.owners(lag_s)[0][inside], factors[inside, 0]


def _without(because: str) -> LaggedLine:
    absent = Absent(because)
    return LaggedLine(gain=absent, offset_w=absent, lag_s=absent)


# ---- what can't be shown ----


def _too_few(count: int) -> str:
    return f"the meter has rows in {count} windows, and at least {FEWEST_WINDOWS} are needed"


def _why_too_little(windows: Sequence[KnownWindow], rows: Rows) -> str | None:
    if len(windows) < FEWEST_WINDOWS or len(rows.stop_s) < FEWEST_WINDOWS:
        return _too_few(min(len(windows), len(rows.stop_s)))
    if np.ptp(rows.power_w) == 0:
        return f"the meter shows {to_text(float(rows.power_w[0]), 'W')} throughout"
    return None


def _why_no_lag(lag_s: Interval, fitted_s: float, most_lag_s: float, span_s: float) -> str | None:
    """Why the rows show no lag: many fit alike, or the best is where the search ended."""
    reach_s = min(most_lag_s, _REACHES[0][0] * span_s)
    is_at_end = abs(fitted_s) > most_lag_s - _COARSE * span_s
    if is_at_end or lag_s.upper - lag_s.lower > reach_s:
        return (
            f"no lag from -{to_text(most_lag_s, 's')} to {to_text(most_lag_s, 's')} fits clearly better than "
            "the others"
        )
    return None


def _why_no_gain(gain: Interval, windows: Sequence[KnownWindow], noise_w: float) -> str | None:
    if gain.upper < 0:
        why = "the meter shows less where the counters show more"
        return f"{why}: its clamp is the wrong way round, or it is the meter of another machine"
    powers_w = [window.power_w for window in windows]
    spread_w = float(np.std(powers_w))
    error_w = math.sqrt(math.fsum(window.uncertainty_w**2 for window in windows) / len(windows))
    least_w = max(_FEWEST_ERRORS * error_w, _LEAST_SPREAD * abs(float(np.mean(powers_w))))
    is_wide = gain.lower <= 0 or gain.upper - gain.lower > 2 * _MOST_HALF_WIDTH * gain.value
    if spread_w >= least_w and not is_wide:
        return None
    lowest, highest = (to_text(end_w, "W", digits=3) for end_w in (min(powers_w), max(powers_w)))
    why = f"the power of the windows, {lowest} to {highest}, varies too little"
    return f"{why} for a meter whose rows scatter by {to_text(noise_w, 'W', digits=2)}" if is_wide else why


# ---- the likelihood ----


@dataclass(frozen=True, slots=True)
class _Fit:
    """Lag, scatter of a row, spread of the power outside windows, and time constant of the rows."""

    lag_s: float
    noise_w: float
    outside_w: float
    slow_s: float = 0.0


def _near(windows: Sequence[KnownWindow], rows: Rows, most_lag_s: float) -> Rows:
    """The rows that may show a window."""
    is_near = np.zeros(len(rows.stop_s), dtype=bool)
    for window in windows:
        is_near |= (rows.stop_s > window.start_s - most_lag_s) & (
            rows.stop_s - rows.span_s < window.stop_s + most_lag_s
        )
    return Rows(stop_s=rows.stop_s[is_near], span_s=rows.span_s[is_near], power_w=rows.power_w[is_near])


class _Model:
    """Windows and rows, and how likely the rows are."""

    def __init__(self, windows: Sequence[KnownWindow], rows: Rows) -> None:
        self._rows = rows
        self._middles_s = np.array([(window.start_s + window.stop_s) / 2 for window in windows])
        steps = [window.steps for window in windows]
        self._times_s = np.array([time_s for one in steps for time_s, _ in one])
        spans_s = np.concatenate([[*np.diff([time_s for time_s, _ in one]), 0.0] for one in steps])
        powers_w = np.array([power_w for one in steps for _, power_w in one])
        self._known_s = np.concatenate([[0.0], np.cumsum(spans_s)[:-1]])
        self._energy_j = np.concatenate([[0.0], np.cumsum(spans_s * powers_w)[:-1]])
        self._spread_w = float(np.std(rows.power_w))
        self.span_s = float(np.median(rows.span_s))

    def factors(self, lag_s: float, slow_s: float = 0.0) -> "Floats":
        """What each row is a sum of, a column each: gain, offset, and mean power outside."""
        stop_s = self._rows.stop_s - lag_s
        ends_s = (stop_s - self._rows.span_s, stop_s)
        known, power_w = (
            np.diff([approached(one_s, self._times_s, sums, slow_s) for one_s in ends_s], axis=0)[0]
            / self._rows.span_s
            for sums in (self._known_s, self._energy_j)
        )
        known = np.minimum(known, 1.0)
        return np.stack([power_w, known, 1.0 - known], axis=1)

    def _variances(self, factors: "Floats", fit: _Fit) -> "Floats":
        variances: Floats = fit.noise_w**2 + (factors[:, 2] * fit.outside_w) ** 2
        return variances

    def _solved(self, fit: _Fit) -> "tuple[NDArray[np.floating], float]":
        """Gain, offset and power outside, and minus twice the likelihood's logarithm."""
        factors = self.factors(fit.lag_s, fit.slow_s)
        variances = self._variances(factors, fit)
        scale = 1.0 / np.sqrt(variances)
        line, *_ = np.linalg.lstsq(factors * scale[:, None], self._rows.power_w * scale, rcond=1e-9)
        misses = (self._rows.power_w - factors @ line) * scale
        return line, float(np.log(variances).sum() + misses @ misses)

    def line(self, fit: _Fit) -> tuple[float, float, float]:
        """Gain, offset and lag."""
        gain, offset_w, _ = self._solved(fit)[0]
        return float(gain), float(offset_w), fit.lag_s

    def fitted(self, most_lag_s: float) -> _Fit:
        """Rule 2."""
        step_s, spread_w = _COARSE * self.span_s, self._spread_w
        lags_s = np.arange(-most_lag_s, most_lag_s + step_s / 2, step_s)
        starts = (_Fit(float(lag_s), one * spread_w, spread_w) for lag_s in lags_s for one in _FIRST_NOISES)
        prompt = self._improved(min(starts, key=lambda fit: self._solved(fit)[1]))
        slower = (
            _Fit(prompt.lag_s - share * slow * self.span_s, noise_w, prompt.outside_w, slow * self.span_s)
            for slow in _FIRST_SLOWS
            for share in (0.5, 1.0)
            for noise_w in (prompt.noise_w, prompt.noise_w / 3)
        )
        slow = self._improved(min(slower, key=lambda fit: self._solved(fit)[1]))
        is_clear = self._solved(prompt)[1] - self._solved(slow)[1] > _CLEARLY_LIKELIER
        return slow if is_clear else prompt

    def _improved(self, first: _Fit) -> _Fit:
        """The likeliest near *first*; it is prompt if that is."""
        from scipy.optimize import fmin

        step_s = _COARSE * self.span_s
        place = [first.lag_s / step_s, math.log(first.noise_w), math.log(first.outside_w)]
        moves = [0.5, 0.5, -0.5]
        if first.slow_s:
            place.append(math.log(first.slow_s / step_s))
            moves.append(0.3)
        simplex = np.vstack([place, np.array(place) + np.diag(moves)])

        def deviance(at: "Floats") -> float:
            return self._solved(self._at(at, step_s))[1]

        found = fmin(
            deviance,
            np.array(place),
            initial_simplex=simplex,
            xtol=1e-4,
            ftol=1e-4,
            maxiter=600,
            disp=False,
        )
        return self._at(np.asarray(found, dtype=np.float64), step_s)

    def _at(self, place: "Floats", step_s: float) -> _Fit:
        lag, noise, outside, *slow = map(float, place)
        return _Fit(
            lag_s=lag * step_s,
            noise_w=max(math.exp(min(noise, _MOST_LOG)), _LEAST_NOISE * self._spread_w),
            outside_w=max(math.exp(min(outside, _MOST_LOG)), _LEAST_OUTSIDE * self._spread_w),
            slow_s=step_s * math.exp(min(slow[0], _MOST_LOG)) if slow else 0.0,
        )

    def owners(self, lag_s: float) -> "tuple[NDArray[np.int64], int, int]":
        """The window of each row, the nearest; how many windows have rows; how many rows lie in any."""
        borders_s = (self._middles_s[1:] + self._middles_s[:-1]) / 2
        nearest = np.searchsorted(borders_s, self._rows.stop_s - self._rows.span_s / 2 - lag_s)
        is_inside = self.factors(lag_s)[:, 1] > 0
        return nearest, len(np.unique(nearest[is_inside])), int(is_inside.sum())

    def products(self, fit: _Fit, lag_s: float) -> "Floats":
        """Of each row at another lag: 12 weighted products of its factors and power, and its deviance."""
        factors = self.factors(lag_s, fit.slow_s)
        variances = self._variances(factors, fit)
        both = np.column_stack([factors, self._rows.power_w])
        products = factors[:, :, None] * both[:, None, :] / variances[:, None, None]
        deviances = np.log(variances) + self._rows.power_w**2 / variances
        return np.column_stack([products.reshape(-1, 12), deviances])


# ---- resamples ----


def _resampled(model: _Model, fit: _Fit, owners: "NDArray[np.int64]") -> "Floats":
    """Gain, offset and lag of each resample of the windows; noise and spread stay what they are."""
    lags_s = np.unique(
        [
            fit.lag_s + place * model.span_s
            for reach, step in _REACHES
            for place in np.arange(-reach, reach, step)
        ]
    )
    blocks, places = np.unique(owners, return_inverse=True)
    count = len(blocks)
    of_lags = np.zeros((count, len(lags_s), 13))
    for number, lag_s in enumerate(lags_s):
        np.add.at(of_lags[:, number], places, model.products(fit, float(lag_s)))
    times = np.random.default_rng(_SEED).multinomial(count, np.full(count, 1 / count), size=RESAMPLE_COUNT)
    chunks = [times[first : first + _CHUNK] for first in range(0, RESAMPLE_COUNT, _CHUNK)]
    return np.concatenate([_solved_at_best(chunk.astype(float), of_lags, lags_s) for chunk in chunks])


def _solved_at_best(times: "Floats", of_lags: "Floats", lags_s: "Floats") -> "Floats":
    """Gain, offset and lag at the likeliest lag, of blocks that count so many *times*."""
    sums = np.tensordot(times, of_lags, axes=1)
    normal = sums[..., :12].reshape(*sums.shape[:2], 3, 4)
    left, right = normal[..., :3], normal[..., 3]
    trace = np.trace(left, axis1=-2, axis2=-1)
    left = left + _RIDGE * trace[..., None, None] * np.eye(3)
    lines = np.linalg.solve(left, right[..., None])[..., 0]
    deviance = sums[..., 12] - (lines * right).sum(axis=-1)
    best = deviance.argmin(axis=1)
    each = np.arange(len(best))
    lag_s = _vertex(lags_s, deviance, np.clip(best, 1, len(lags_s) - 2))
    return np.column_stack([lines[each, best, 0], lines[each, best, 1], lag_s])


def _vertex(lags_s: "Floats", deviance: "Floats", middle: "NDArray[np.int64]") -> "Floats":
    """The lowest point of the parabola through three places of each row, *middle* and those beside it."""
    each = np.arange(len(middle))
    (left_s, left), (at_s, at), (right_s, right) = (
        (lags_s[middle + one], deviance[each, middle + one]) for one in (-1, 0, 1)
    )
    before, after = (at_s - left_s) * (at - right), (at_s - right_s) * (at - left)
    bend = before - after
    with np.errstate(divide="ignore", invalid="ignore"):
        moved_s = at_s - 0.5 * ((at_s - left_s) * before - (at_s - right_s) * after) / bend
    inside: Floats = np.where(bend != 0, np.clip(moved_s, left_s, right_s), at_s)
    return inside
