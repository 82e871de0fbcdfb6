"""How far a second of a busy logical CPU is from its share of the TDP, by published measurements.

The estimate takes TDP over logical CPUs for it. Here that is compared with what machines drew more than at
rest, for each busy CPU:

    ratio = (watts at a load - watts at rest) / (CPUs that were busy x TDP / logical CPUs)

Sources, as clones in a folder:

    spec-power-model  github.com/green-coding-solutions/spec-power-model at 9739f29: results of
                      SPECpower_ssj2008 with the TDP of their processors; watts at the wall
    codecarbon        github.com/mlco2/codecarbon at b05965e: RAPL of five machines under stress-ng
    boaviztapi        github.com/Boavizta/boaviztapi at 15878f0: TDP and threads of processors

    python -m benchmarks.meter.estimate_classes CLONES --out FILE
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from statistics import median, quantiles

from pytest_energy.sensors.machine_class import MachineClass
from pytest_energy.sensors.tdp import find_tdp

SINCE = 2012  # older machines rest at a larger share of their power
LOADS = (10, 20, 30, 50, 70, 100)
SHARE = 0.9  # of the measurements that a factor holds
GENERIC_W = find_tdp("unknown", 1, None).power_w


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One machine at one load.

    Attributes:
        load_share: Of all logical CPUs, that were busy.
        ratio: What it drew above rest, over what the estimate says with the processor's TDP.
        generic_ratio: The same where the processor isn't known.
        is_single: One thread was at work.
    """

    machine: str
    load_share: float
    ratio: float
    generic_ratio: float
    is_single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RaplMachine:
    """A machine of codecarbon's: watts of all sockets, and logical CPUs.

    Source:
        TDP and threads: product pages of Intel and AMD; two sockets as in codecarbon's docs/how-to.
    """

    folder: str
    kind: MachineClass
    tdp_w: float
    cpus: int


RAPL_MACHINES = (
    RaplMachine(folder="AMD_EPYC_8024P_8C", kind=MachineClass.SERVER, tdp_w=90.0, cpus=16),
    RaplMachine(folder="E5-2620", kind=MachineClass.SERVER, tdp_w=170.0, cpus=24),
    RaplMachine(folder="E3-1240", kind=MachineClass.SERVER, tdp_w=69.0, cpus=8),
    RaplMachine(folder="E5-1240", kind=MachineClass.SERVER, tdp_w=69.0, cpus=8),
    RaplMachine(folder="AMD_Threadripper", kind=MachineClass.DESKTOP, tdp_w=180.0, cpus=32),
)


def point(machine: str, above_rest_w: float, load_share: float, tdp_w: float, cpus: float) -> Point:
    return Point(
        machine=machine,
        load_share=load_share,
        ratio=above_rest_w / (load_share * tdp_w),
        generic_ratio=above_rest_w / (load_share * cpus * GENERIC_W),
    )


def spec_points(clone: Path) -> Iterator[Point]:
    """Servers at the wall: memory, fans and losses of the supply are in it."""
    for row in _rows(clone / "data/spec_data_cleaned_unmelted.csv"):
        if not row["TDP"] or int(row["Hardware_Availability_Year"]) < SINCE:
            continue
        tdp_w, cpus = float(row["TDP"]) * float(row["CPUChips"]), float(row["CPUThreads"])
        for load in LOADS:
            above_w = float(row[f"{load}_AvgPower"]) - float(row["ActiveIdle"])
            yield point(row["HW_CPUName"], above_w, load / 100, tdp_w, cpus)


def rapl_points(clone: Path, machine: RaplMachine) -> Iterator[Point]:
    """Packages by RAPL; the column of powers is a row late, so joules over seconds are taken."""
    for file in sorted(
        (clone / "codecarbon/data/hardware/cpu_load_profiling" / machine.folder).glob("*.csv")
    ):
        rows = _rows(file)
        if not rows:
            continue
        powers_w = [float(row["rapl_energy"]) * 3.6e6 / float(row["duration"]) for row in rows]
        for row, power_w in zip(rows[1:], powers_w[1:], strict=True):
            load_share, above_w = float(row["cpu_load"]) / 100, power_w - powers_w[0]
            one = point(machine.folder, above_w, load_share, machine.tdp_w, machine.cpus)
            yield replace(one, is_single=row["load_type"] == "some_cores" and row["cores_used"] == "1")


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def factor_that_holds(ratios: Sequence[float], share: float = SHARE) -> int:
    """The smallest whole number within which, up or down, *share* of *ratios* lie."""
    return next(n for n in count(1) if sum(1 / n <= one <= n for one in ratios) >= share * len(ratios))


def summary(points: Iterable[Point], *, least_load: float = 0.0) -> dict[str, object]:
    """What *points* say, from the load *least_load* on."""
    taken = [one for one in points if one.load_share >= least_load]
    ratios = [one.ratio for one in taken]
    cuts = quantiles(ratios, n=20)
    return {
        "machines": len({one.machine for one in taken}),
        "points": len(taken),
        "median": round(median(ratios), 3),
        "from_5_to_95_percent": [round(cuts[0], 3), round(cuts[-1], 3)],
        "one_thread": [round(one.ratio, 3) for one in taken if one.is_single],
        "factor": factor_that_holds(ratios),
        "factor_without_tdp": factor_that_holds([one.generic_ratio for one in taken]),
    }


def tdp_by_letters(clone: Path) -> dict[str, object]:
    """How far the TDP by a model's letters is from its own, of processors of laptops and desktops."""
    ratios, watts = [], defaultdict(list)
    for row in _rows(clone / "boaviztapi/data/crowdsourcing/cpu_specs.csv"):
        if not (row["tdp"] and row["threads"] and row["release_date"][:4] >= str(SINCE)):
            continue
        found = find_tdp(row["name"], 1, None, MachineClass.LAPTOP)
        if found.source.startswith("usual for"):
            ratios.append(float(row["tdp"]) / found.power_w)
            watts[found.source].append(float(row["tdp"]))
    medians = {source: median(values) for source, values in sorted(watts.items())}
    return {"processors": len(ratios), "medians_w": medians, "factor": factor_that_holds(ratios)}


def document(clones: Path) -> dict[str, object]:
    rapl: dict[str, list[Point]] = defaultdict(list)
    for machine in RAPL_MACHINES:
        rapl[machine.kind] += rapl_points(clones / "codecarbon", machine)
    groups = {"server, at the wall": list(spec_points(clones / "spec-power-model"))}
    groups |= {f"{kind}, RAPL": points for kind, points in rapl.items()}
    return {
        "all loads": {name: summary(points) for name, points in groups.items()},
        "half of the CPUs busy, or more": {
            name: summary(points, least_load=0.5) for name, points in groups.items()
        },
        "tdp_by_letters": tdp_by_letters(clones / "boaviztapi"),
        "rapl_points": [asdict(one) for points in rapl.values() for one in points],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clones", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    text = json.dumps(document(options.clones), indent=1)
    options.out.write_text(f"{text}\n", encoding="utf-8")
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
