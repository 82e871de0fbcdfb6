"""A run beside a meter: what both show of each test, and the line between them. Pure.

Rule 1: of a window those rows are compared that lie wholly in it, with its power over the same seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_energy.errors import Absent, SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.report.view import View
from pytest_energy.stats.lagged_line import LaggedLine, lagged_line, rows_inside
from pytest_energy.units import to_text
from pytest_energy.wall.meter_file import MeterSeries
from pytest_energy.wall.windows import RunPower, RunWindow, power_of

if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What both show of a window, or of all windows of a test, in the same seconds.

    Attributes:
        name: The test's id.
        start_unix_s: Start of the window, or of the first.
        window_count: Windows that rows lie in.
        duration_s: Seconds of those rows.
        energy_j: Of the run's counters.
        meter_energy_j: Of the meter.
    """

    name: str
    start_unix_s: float
    window_count: int
    duration_s: float
    energy_j: float
    meter_energy_j: float

    @property
    def power_w(self) -> float:
        return self.energy_j / self.duration_s

    @property
    def meter_power_w(self) -> float:
        return self.meter_energy_j / self.duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class WallComparison:
    """A run beside a meter.

    Attributes:
        line: Gain, offset and lag.
        windows: What both show of each window; empty if the lag is not known.
    """

    power: RunPower
    series: MeterSeries
    line: LaggedLine
    windows: tuple[Shown, ...]

    @property
    def tests(self) -> tuple[Shown, ...]:
        """What both show of each test, in the order of their first windows."""
        by_test: dict[str, list[Shown]] = {}
        for one in self.windows:
            by_test.setdefault(one.name, []).append(one)
        return tuple(
            Shown(
                name=name,
                start_unix_s=ones[0].start_unix_s,
                window_count=len(ones),
                duration_s=sum(one.duration_s for one in ones),
                energy_j=sum(one.energy_j for one in ones),
                meter_energy_j=sum(one.meter_energy_j for one in ones),
            )
            for name, ones in by_test.items()
        )

    def line_w(self, power_w: float) -> float | None:
        """What the meter shows of *power_w* by the line."""
        gain, offset = self.line.gain, self.line.offset_w
        if isinstance(gain, Absent) or isinstance(offset, Absent):
            return None
        return offset.value + gain.value * power_w


def compared(run: View, series: MeterSeries, *, most_lag_s: float) -> WallComparison:
    """*run* beside the meter that *series* is of.

    Raises:
        SettingsError: No window of the run has a time of day, or the meter has no row near one; scipy is not
            installed.
    """
    try:
        import scipy.optimize  # noqa: F401  # of the fit
    except ImportError as error:
        raise SettingsError(
            "the line is fitted by scipy, which is not installed: pip install 'pytest-energy[wall]'"
        ) from error
    power = power_of(run)
    if not power.windows:
        reasons = "; ".join(f"{count} {because}" for because, count in power.left_out.items())
        raise SettingsError(f"the run has no window that can be compared ({reasons or 'it has no window'})")
    _check_overlap(power, series, most_lag_s)
    line = lagged_line([one.known for one in power.windows], series.rows, most_lag_s=most_lag_s)
    lag = line.lag_s
    windows = () if isinstance(lag, Absent) else tuple(_shown(power.windows, series, lag.value))
    return WallComparison(power=power, series=series, line=line, windows=windows)


def _check_overlap(power: RunPower, series: MeterSeries, most_lag_s: float) -> None:
    first_s, last_s = power.windows[0].known.start_s, power.windows[-1].known.stop_s
    if not series.has_times_of_day:
        raise SettingsError(
            "the meter's times count from a moment that isn't in the file: give it as --start, such as "
            "--start=2026-11-21T10:00:00Z; of times of day without a day that is midnight. "
            f"The run is from {moment(first_s)} to {moment(last_s)}"
        )
    from_s, until_s = (float(series.rows.stop_s[place]) for place in (0, -1))
    if from_s - most_lag_s > last_s or until_s + most_lag_s < first_s:
        raise SettingsError(
            f"the meter's rows are from {moment(from_s)} to {moment(until_s)}, and the run is from "
            f"{moment(first_s)} to {moment(last_s)}. If the rows are in local time, give --time-zone; if "
            f"the clocks differ by more than {to_text(most_lag_s, 's')}, --most-lag"
        )


def moment(unix_s: float) -> str:
    """Such as `2026-11-21 10:00:00 UTC`."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _shown(windows: tuple[RunWindow, ...], series: MeterSeries, lag_s: float) -> Iterator[Shown]:
    rows = series.rows
    inside, owners, powers_w = rows_inside([one.known for one in windows], rows, lag_s=lag_s)
    for owner in np.unique(owners):
        of_owner = owners == owner
        own = inside[of_owner]
        span_s, window = rows.span_s[own], windows[int(owner)]
        yield Shown(
            name=window.test_id,
            start_unix_s=window.known.start_s,
            window_count=1,
            duration_s=float(span_s.sum()),
            energy_j=float((powers_w[of_owner] * span_s).sum()),
            meter_energy_j=float((rows.power_w[own] * span_s).sum()),
        )
