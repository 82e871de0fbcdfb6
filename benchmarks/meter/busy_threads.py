"""Windows beside busy Python threads, and work that holds the interpreter, in real time.

No hardware is asked: a RAPL tree in a temporary folder and a counter that ticks follow the machine's clock,
so that the truth is known. What is real are this process's threads, and how they are held up.

    python -m benchmarks.meter.busy_threads --out FILE
"""

import argparse
import ctypes
import json
import math
import random
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from pytest_energy.meter.clock import SystemClock
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import Channel, Domain, Provenance, Reading
from pytest_energy.sensors.prompt_read import read_small
from pytest_energy.sensors.protocol import Facts, Sensor
from pytest_energy.sensors.rapl import RaplSensor
from pytest_energy.usage import Usage

ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram", "intel-rapl:1": "package-1"}
ZONE_W, QUIET_W, BUSY_W, TICK_S, CALL_S = 100.0, 120.0, 780.0, 0.1, 0.0025
CLOCK = SystemClock()


def rapl_tree(folder: Path) -> RaplSensor:
    """Zones of 100 W each, read as the sensor reads real ones; the count is put in after the read."""
    # Apart, so that none is taken for another's mirror.
    offsets_uj = {folder / zone / "energy_uj": 10**9 * number for number, zone in enumerate(ZONES)}
    for zone, name in ZONES.items():
        (folder / zone).mkdir()
        for file, text in (("name", name), ("max_energy_range_uj", "262143328850"), ("energy_uj", "1")):
            (folder / zone / file).write_text(text + "\n", encoding="ascii")

    def read_text(path: Path) -> str:
        text = read_small(path)
        if path not in offsets_uj:
            return text
        return f"{(offsets_uj[path] + int(CLOCK.now_s() * ZONE_W * 1e6)) % 262143328850}\n"

    return RaplSensor(root=folder, read_text=read_text)


class TickingGpu:
    """A counter that jumps each 100 ms, of a device whose power the work sets."""

    name, provenance = "ticking", Provenance.MEASURED
    channels = (Channel(name="gpu:0", domain=Domain.GPU, device="gpu", is_ticked=True, resolution_j=1e-3),)

    def __init__(self) -> None:
        self._steps = [(CLOCK.now_s(), 0.0, QUIET_W)]

    def draw(self, power_w: float) -> None:
        now_s = CLOCK.now_s()
        self._steps.append((now_s, self.joules_at(now_s), power_w))

    def joules_at(self, time_s: float) -> float:
        began_s, joules, power_w = next((s for s in reversed(self._steps) if s[0] <= time_s), self._steps[0])
        return joules + power_w * (time_s - began_s)

    def read_j(self, channel: str) -> float:
        del channel
        CLOCK.sleep_s(CALL_S / 2)
        joules = self.joules_at(CLOCK.now_s() // TICK_S * TICK_S)
        CLOCK.sleep_s(CALL_S / 2)
        return joules

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts()

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def started(sensor: Sensor) -> Iterator[LiveMeter]:
    meter = LiveMeter([sensor], [], clock=CLOCK, synchronize=lambda: None, rng=random.Random(1))  # noqa: S311  # repeatable
    meter.start()
    try:
        yield meter
    finally:
        meter.close()


@contextmanager
def busy_threads(count: int) -> Iterator[None]:
    is_over = threading.Event()

    def spin() -> None:
        while not is_over.is_set():
            pass

    threads = [threading.Thread(target=spin, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def row(readings: Sequence[tuple[Reading, float]], **what: object) -> dict[str, object]:
    """What came of windows whose true joules stand beside them."""
    good = [(r.energy_j, r.uncertainty_j, j) for r, j in readings if r.energy_j is not None]
    errors = [energy_j / truth_j - 1 for energy_j, _, truth_j in good]
    held = [abs(energy_j - truth_j) <= 2 * (sigma_j or 0.0) for energy_j, sigma_j, truth_j in good]
    return {
        **what,
        "windows": len(readings),
        "void": len(readings) - len(good),
        "bias": fmean(errors) if errors else math.nan,
        "worst": max(errors, key=abs, default=math.nan),
        "within_2u": sum(held),
    }


def beside_threads(meter: LiveMeter, count: int, duration_s: float, windows: int) -> dict[str, object]:
    readings = []
    with busy_threads(count):
        for _ in range(windows):
            window = meter.open("test")
            CLOCK.sleep_s(duration_s)
            reading = window.close()
            readings.append((reading, len(ZONES) * ZONE_W * reading.duration_s))
    return row(readings, busy_threads=count, window_s=duration_s)


def holding(meter: LiveMeter, gpu: TickingGpu, hold_s: float, windows: int) -> dict[str, object]:
    hold, readings = ctypes.PyDLL(None).usleep, []
    for _ in range(windows):
        window = meter.open("test")
        gpu.draw(BUSY_W)
        hold(int(hold_s * 1e6))
        gpu.draw(QUIET_W)
        reading = window.close()
        trace = reading.trace
        truth_j = gpu.joules_at(trace.stop_s) - gpu.joules_at(trace.start_s) if trace else math.nan
        readings.append((reading, truth_j))
    return row(readings, held_s=hold_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    out, rows = parser.parse_args().out, []
    with tempfile.TemporaryDirectory() as folder, started(rapl_tree(Path(folder))) as meter:
        for count in (0, 1, 3):
            rows += [beside_threads(meter, count, s, 40 if s < 0.5 else 20) for s in (0.02, 0.1, 0.5)]
    gpu = TickingGpu()
    with started(gpu) as meter:
        rows += [holding(meter, gpu, hold_s, 15) for hold_s in (0.9, 2.5, 10.0)]
    out.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.writelines(f"{one}\n" for one in rows)


if __name__ == "__main__":
    main()
