"""A run of tests on a simulated machine, and a wall meter beside it whose gain, offset and lag are known.

The machine draws a known power at each moment, also between windows. The counters see it through steps of a
window, as a live window writes them; the meter sees gain times it, and an offset, some seconds later, as the
mean of each second.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from pytest_energy.judgement import Judgement
from pytest_energy.model import Reading
from pytest_energy.stats.lagged_line import KnownWindow, Rows
from tests.builders import judgement, reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAIN, OFFSET_W, LAG_S = 1.07, 85.0, 2.3
BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC).timestamp()

_STEP_S = 0.5  # of the machine's power
_TICK_S = 0.1  # of the counter


@dataclass
class WallWorld:
    """What the machine drew, and what both meters show of it.

    Args:
        seed: For all chance.
        powers_w: Of each test; by chance from 150 to 650 W if not given.
        test_count: Tests, if *powers_w* is not given.
        round_count: Windows of each test, of 4 to 9 s.
        noise_w: Of a row.
    """

    seed: int = 1
    powers_w: Sequence[float] = ()
    test_count: int = 8
    round_count: int = 4
    noise_w: float = 3.0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311  # a seeded simulation
        self._times_s, self._powers_w = [0.0], [90.0]
        self._now_s = 20.0
        rng = self._rng
        powers_w = self.powers_w or [rng.uniform(150, 650) for _ in range(self.test_count)]
        self.windows: list[tuple[int, float, float]] = []
        for number, power_w in enumerate(powers_w):
            for _ in range(self.round_count):
                self._rest(rng.uniform(0.2, 0.6))
                self._work(number, power_w)
            self._rest(rng.uniform(1.0, 4.0))
        self.ended_s = self._now_s
        self._rest(30.0)
        self._joules = np.concatenate([[0.0], np.cumsum(np.diff(self._times_s) * self._powers_w[:-1])])

    def _rest(self, duration_s: float) -> None:
        self._draw(self._rng.uniform(70, 160), duration_s)

    def _draw(self, power_w: float, duration_s: float) -> None:
        self._times_s.append(self._now_s)
        self._powers_w.append(power_w)
        self._now_s += duration_s

    def _work(self, number: int, power_w: float) -> None:
        start_s = self._now_s
        for _ in range(self._rng.randint(8, 18)):
            self._draw(power_w * self._rng.uniform(0.9, 1.1), _STEP_S)
        self.windows.append((number, start_s, self._now_s))

    def joules_at(self, times_s: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Joules that the machine has used by then."""
        joules: NDArray[np.float64] = np.interp(times_s, self._times_s, self._joules)
        return joules

    def reading(self, start_s: float, stop_s: float) -> Reading:
        """What the counters show of a window: its joules, and steps between ticks inside it."""
        first_s = start_s + self._rng.uniform(0.01, _TICK_S)
        ticks_s = np.arange(first_s, stop_s, _TICK_S)
        ticks_s = np.round(ticks_s[:: -(-len(ticks_s) // 60)] - start_s, 3)
        joules = self.joules_at(ticks_s + start_s)
        powers_w = np.diff(joules) / np.diff(ticks_s)
        steps = zip(ticks_s.tolist(), [*powers_w.tolist(), float(powers_w[-1])], strict=True)
        energy_j = float(np.diff(self.joules_at(np.array([start_s, stop_s])))[0])
        return replace(
            reading(energy_j, duration_s=stop_s - start_s, uncertainty_j=0.002 * energy_j),
            power_trace={"gpu:0": tuple(steps)},
            start_unix_s=round(BEGAN + start_s, 3),
        )

    def judgements(self) -> list[Judgement]:
        """The run's tests."""
        made = []
        for number in sorted({number for number, *_ in self.windows}):
            rounds = [self.reading(*edges) for one, *edges in self.windows if one == number]
            test = judgement(test_id=f"tests/test_work.py::test_work[a/{number}]")
            made.append(replace(test, record=replace(test.record, rounds=tuple(rounds))))
        return made

    def known(self) -> list[KnownWindow]:
        """The windows with all of their power, in seconds since the machine's start."""
        known = []
        for _, start_s, stop_s in self.windows:
            times_s = np.append(np.arange(start_s, stop_s - _STEP_S / 2, _STEP_S), stop_s)
            powers_w = np.diff(self.joules_at(times_s)) / np.diff(times_s)
            steps = zip(times_s.tolist(), [*powers_w.tolist(), 0.0], strict=True)
            known.append(KnownWindow(steps=tuple(steps), uncertainty_w=0.5))
        return known

    def rows(self, *, span_s: float = 1.0, lag_s: float = LAG_S) -> Rows:
        """What the meter shows, in seconds since the machine's start."""
        stop_s = np.arange(5.0 + self._rng.random(), self.ended_s + 20, span_s)
        used_j = self.joules_at(stop_s - lag_s) - self.joules_at(stop_s - span_s - lag_s)
        noise_w = np.array([self._rng.gauss(0.0, self.noise_w) for _ in stop_s])
        power_w = np.round(OFFSET_W + GAIN * used_j / span_s + noise_w, 1)
        return Rows(stop_s=stop_s, span_s=np.full(len(stop_s), span_s), power_w=power_w)

    def csv(self) -> str:
        """The meter's file."""
        rows = self.rows()
        lines = [
            f"{datetime.fromtimestamp(BEGAN + stop_s, UTC).isoformat(timespec='milliseconds')},{power_w:.1f}"
            for stop_s, power_w in zip(rows.stop_s.tolist(), rows.power_w.tolist(), strict=True)
        ]
        return "\n".join(["time,power_w", *lines]) + "\n"
