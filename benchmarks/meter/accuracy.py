"""How well the meter reads bursts of work on this machine's GPU, and what it costs.

    python benchmarks/meter/accuracy.py --out DIR [--gpus N] [--quick]

Writes `meter-<gpu>.md`, `meter-<gpu>.json` and `meter-<gpu>-reads.json` to DIR. README.md beside it has the
method. Needs an NVIDIA GPU with an energy counter, torch, and nothing else at work on that GPU.

Exit status: 0 all demands are met, 1 one is not or couldn't be told, 2 nothing can be measured here.
"""

import argparse
import os
import platform
import random
import re
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.meter.bursts import Load, Recorder, Rig
from benchmarks.meter.costs import PowercapTree, WindowCost, estimate_sensor, window_cost
from benchmarks.meter.demands import Outcome
from benchmarks.meter.procedure import Choices, Found, measure_on, to_run
from benchmarks.meter.result import Run, reads_json, to_json, to_markdown
from pytest_energy.errors import EnergyError, SensorUnavailable
from pytest_energy.meter.clock import SystemClock
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import SensorStatus
from pytest_energy.sensors.nvml import NvmlSensor

DEFAULT_SECONDS = 150.0

_EMPTY_WINDOWS, _QUICK_EMPTY_WINDOWS = 500, 100

_VERSIONS = ("pytest-energy", "torch", "nvidia-ml-py", "psutil")

_SEED = 20_261_121

# Names of `loads.LOADS`, which takes torch.
_LOADS = ("matmuls", "copies")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    begun_s = SystemClock().now_s()
    options = _options(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    _show_first_gpus(options.gpus)
    try:
        sensor = _open_sensor(options.gpus)
    except SensorUnavailable as error:
        _say(f"nothing can be measured here: {error}")
        return 2
    facts = _facts(sensor)
    _say(f"{facts['GPU']}, driver {facts['driver']}")
    windows = _empty_windows(_QUICK_EMPTY_WINDOWS if options.quick else _EMPTY_WINDOWS)
    found = Found()
    choices = Choices(seconds=options.seconds, has_peers=options.peers, is_quick=options.quick)
    _measure(sensor, choices, begun_s, found, seed=options.seed, load_name=options.load)
    run = to_run(
        found,
        windows,
        facts=facts,
        command=" ".join(_without_paths(options)),
        has_idle_gpu=options.gpus > 1,
        duration_s=SystemClock().now_s() - begun_s,
    )
    write(run, options.out, gpu_slug(facts["GPU"]))
    _say(to_markdown(run))
    return 0 if all(row.outcome is Outcome.MET for row in run.rows) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--gpus", type=int, default=1, metavar="N", help="GPUs to meter, of which the first works (1)"
    )
    parser.add_argument("--quick", action="store_true", help="few bursts, to check that everything runs")
    parser.add_argument(
        "--peers",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also measure the bursts with zeus and codecarbon, where they are installed (yes)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=DEFAULT_SECONDS,
        help=f"time for everything; with more there are more bursts ({DEFAULT_SECONDS:g})",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=_SEED,
        help=f"of the delays and gaps; another meets other phases ({_SEED})",
    )
    parser.add_argument(
        "--load",
        choices=_LOADS,
        default=_LOADS[0],
        help="matrix products at the power limit, or copies of even power below it (matmuls)",
    )
    return parser.parse_args(arguments)


def _without_paths(options: argparse.Namespace) -> Sequence[str]:
    yes_no = {True: "yes", False: "no"}
    return (
        f"gpus {options.gpus},",
        f"quick {yes_no[options.quick]},",
        f"peers {yes_no[options.peers]},",
        f"seconds {options.seconds:g},",
        f"seed {options.seed},",
        f"load {options.load}",
    )


def _show_first_gpus(count: int) -> None:
    """Let this process see its first *count* GPUs only, unless it was told which."""
    if "CUDA_VISIBLE_DEVICES" not in os.environ:
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(str(index) for index in range(count))


def _open_sensor(count: int) -> NvmlSensor:
    sensor = NvmlSensor()
    if len(sensor.channels) != count:
        sensor.close()
        names = ", ".join(channel.name for channel in sensor.channels)
        raise SensorUnavailable(sensor.name, f"--gpus {count}, but there is {names}; {dict(sensor.left_out)}")
    return sensor


def _facts(sensor: NvmlSensor) -> dict[str, str]:
    import torch

    known = sensor.facts()
    facts = {
        "GPU": known.fixed["gpu_model"],
        "power limit": known.fixed["gpu_power_limit_w"] + " W",
        "driver": known.shown["gpu_driver"],
        "CUDA (torch)": str(torch.version.cuda),
        "Python": platform.python_version(),
        "processors": str(os.cpu_count()),
    }
    return facts | {name: _version(name) for name in _VERSIONS}


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _empty_windows(count: int) -> tuple[WindowCost, ...]:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        tree = PowercapTree(Path(folder))
        rapl = window_cost(tree.sensor(), clock, count, use=tree.use)
        tree.close()
    return rapl, window_cost(estimate_sensor(), clock, count)


class _LoadLater:
    """A load that is opened after the meter has seen the device at rest."""

    def __init__(self) -> None:
        self.load: Load | None = None

    def start(self, count: int) -> None:
        if self.load is not None:
            self.load.start(count)

    def synchronize(self) -> None:
        if self.load is not None:
            self.load.synchronize()


def _measure(
    sensor: NvmlSensor, choices: Choices, begun_s: float, found: Found, *, seed: int, load_name: str
) -> None:
    clock, load = SystemClock(), _LoadLater()
    rng = random.Random(seed)  # noqa: S311  # gaps and delays, no secrets
    recorder = Recorder(sensor, clock)
    names = tuple(channel.name for channel in sensor.channels)
    status = SensorStatus(name=sensor.name, channels=names, provenance=sensor.provenance)
    meter = LiveMeter([sensor], [status], clock=clock, synchronize=load.synchronize, rng=rng)
    rig = Rig(clock=clock, load=load, meter=meter, recorder=recorder, rng=rng)
    meter.start()
    idle = ", ".join(f"{name} {power_w:.1f} W" for name, power_w in (meter.idle_power_w() or {}).items())
    found.notes.append(f"At rest, before any CUDA context was open: {idle}.")
    try:
        load.load = _open_load(found, load_name)
        measure_on(rig, choices, begun_s, found, say=_say)
    except EnergyError as error:
        found.notes.append(f"The run ended early: {error}.")
        _say(f"the run ends early: {error}")
    finally:
        meter.close()
        sensor.close()


def _open_load(found: Found, name: str) -> Load:
    from benchmarks.meter.loads import LOADS

    load = LOADS[name]()
    found.notes.append(f"Load: {load.name}.")
    return load


def gpu_slug(models: str) -> str:
    """Name of the GPUs in a file's name.

    >>> gpu_slug("NVIDIA H100 80GB HBM3")
    'h100-80gb-hbm3'
    >>> gpu_slug("NVIDIA H200, NVIDIA H200")
    '2x-h200'
    """
    names = models.split(", ")
    slug = "-".join(re.findall(r"[a-z0-9]+", " ".join(dict.fromkeys(names)).lower().replace("nvidia", "")))
    return slug if len(names) == 1 else f"{len(names)}x-{slug}"


def write(run: Run, folder: Path, slug: str) -> None:
    """Write the three files of a run."""
    for name, text in {
        f"meter-{slug}.md": to_markdown(run),
        f"meter-{slug}.json": to_json(run),
        f"meter-{slug}-reads.json": reads_json(run),
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
