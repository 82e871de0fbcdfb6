"""RAPL at the path where a kernel shows it: a tree of files mounted there, for one process alone.

A private mount namespace puts a powercap tree at `/sys/class/powercap`. A process in it opens the sensor with
nothing but its defaults, and says what it saw. Where the machine doesn't allow that, the reason is told.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]

# In the namespace: mounts a tree that idles (a thread adds 1 uJ now and then) until `still` is called.
_TREE = """
import json, os, subprocess, sys, threading, time
from pathlib import Path
from pytest_energy.errors import EnergyError
from pytest_energy.sensors.detect import detect
from pytest_energy.sensors.rapl import POWERCAP, RaplSensor

def mounted():
    place = POWERCAP if POWERCAP.is_dir() else POWERCAP.parent
    subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], check=True)
    POWERCAP.mkdir(exist_ok=True)

def put(file, energy_uj):
    # In place and always as long: who has it open sees either value, as with a kernel's file.
    with file.open("r+b", buffering=0) as opened:
        opened.write(b"%020d\\n" % energy_uj)

def zone(place, name, energy_uj, range_uj=262_143_328_850):
    folder = POWERCAP / place
    folder.mkdir(parents=True)
    (folder / "name").write_text(name + "\\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\\n")
    counter = folder / "energy_uj"
    counter.touch(0o400)
    put(counter, energy_uj)
    return counter

def use(counter, energy_uj):
    range_uj = int((counter.parent / "max_energy_range_uj").read_text())
    put(counter, (int(counter.read_text()) + energy_uj) % range_uj)

class Idling:
    def __init__(self, *counters):
        self.counters, self.is_over = counters, threading.Event()
        self.thread = threading.Thread(target=self.run)
    def run(self):
        while not self.is_over.wait(1e-3):
            for counter in self.counters:
                use(counter, 1)
    def __enter__(self):
        self.thread.start()
    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

mounted()
"""


def _namespace() -> list[str]:
    """The command that gives a process mounts of its own; skips where there is none."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no command unshare (util-linux) to make a mount namespace with")
    users = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = [unshare, *users, "--mount", "--propagation", "private"]
    tried = subprocess.run(  # noqa: S603  # fixed words
        [*command, "sh", "-c", f"mount -t tmpfs none /sys/class && {shlex.quote(sys.executable)} -c ''"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        pytest.skip(f"this machine allows no mounts in a namespace of one's own: {tried.stderr.strip()}")
    return command


def told(code: str) -> Any:
    """What *code*, run in a namespace with a tree at the real path, prints as JSON."""
    done = subprocess.run(  # noqa: S603  # our own interpreter and text
        [*_namespace(), sys.executable, "-W", "error", "-c", _TREE + dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=_ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_joules_are_exact_over_a_wrap() -> None:
    """Opened with its defaults, the sensor finds what counts at the real path, and a wrap costs nothing."""
    seen = told(
        """
        package = zone("intel-rapl:0", "package-0", 262_143_328_850 - 4_000_000)
        core = zone("intel-rapl:0:0", "core", 1_000_000)
        memory = zone("intel-rapl:0:1", "dram", 7_000_000_000, 65_712_999_613)
        psys = zone("intel-rapl:1", "psys", 9_000_000_000)
        copy = zone("intel-rapl-mmio:0", "package-0", 11_000_000_000)
        with Idling(package, core, memory, psys, copy):
            sensor = RaplSensor()
        names = [channel.name for channel in sensor.channels]
        before_j, before_uj = [sensor.read_j(name) for name in names], int(package.read_text())
        use(package, 10_000_000), use(memory, 2_500_000), use(core, 8_000_000), use(psys, 15_000_000)
        use(copy, 10_000_000)
        has_wrapped = int(package.read_text()) < before_uj
        used_j = [sensor.read_j(name) - before for name, before in zip(names, before_j)]
        print(json.dumps({"used_j": dict(zip(names, used_j)), "has_wrapped": has_wrapped}))
        """
    )
    assert seen["has_wrapped"]
    assert seen["used_j"] == pytest.approx({"cpu:package-0": 10.0, "dram:package-0": 2.5}, abs=1e-9)


def test_it_is_what_a_run_finds() -> None:
    """`auto` takes the tree at the real path as RAPL, and no estimate beside it."""
    seen = told(
        """
        with Idling(zone("intel-rapl:0", "package-0", 5_000_000)):
            found = detect(None)
        print(json.dumps([[s.name, [c.name for c in s.channels]] for s in found.sensors]))
        """
    )
    assert ["rapl", ["cpu:package-0"]] in seen
    assert "estimate" not in [name for name, _ in seen]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read the counters")
def test_permissions_are_the_kernels() -> None:
    """Who may not read is told the file, its mode and the commands; who had it open reads on."""
    seen = told(
        """
        counter = zone("intel-rapl:0", "package-0", 5_000_000)
        with Idling(counter):
            sensor = RaplSensor()
        before_j = sensor.read_j("cpu:package-0")
        use(counter, 2_000_000)
        try:
            os.seteuid(65534)
        except OSError as error:
            print(json.dumps({"nobody": str(error)}))
            sys.exit()
        used_j = sensor.read_j("cpu:package-0") - before_j
        try:
            RaplSensor()
        except EnergyError as error:
            absent = str(error)
        print(json.dumps({"used_j": used_j, "absent": absent}))
        """
    )
    if "nobody" in seen:
        pytest.skip(f"this machine knows no other user to become: {seen['nobody']}")
    assert seen["used_j"] == pytest.approx(2.0, abs=1e-9)
    assert "/sys/class/powercap/intel-rapl:0/energy_uj has mode 0400" in seen["absent"]
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj" in seen["absent"]


def test_a_counter_that_is_gone_adds_no_joule() -> None:
    """A file that is gone in the middle counts no more; who opens the sensor then is given the reason."""
    seen = told(
        """
        counter = zone("intel-rapl:0", "package-0", 5_000_000)
        with Idling(counter):
            sensor = RaplSensor()
        before_j = sensor.read_j("cpu:package-0")
        counter.unlink()
        used_j = sensor.read_j("cpu:package-0") - before_j
        try:
            RaplSensor()
        except EnergyError as error:
            print(json.dumps({"used_j": used_j, "absent": str(error)}))
        """
    )
    assert seen["used_j"] == 0.0
    assert (
        "/sys/class/powercap/intel-rapl:0/energy_uj can't be read: No such file or directory"
        in seen["absent"]
    )


def test_pyrapl_reads_the_same_counters() -> None:
    """The real pyRAPL over the same tree, where it is installed: the same joules, and a wrap is a fault."""
    pytest.importorskip("pyRAPL", reason="pyRAPL is not installed")
    seen = told(
        """
        from benchmarks.meter.pyrapl import PyraplSensor

        package = zone("intel-rapl/intel-rapl:0", "package-0", 262_100_000_000)
        memory = zone("intel-rapl/intel-rapl:0/intel-rapl:0:0", "dram", 7_000_000)
        with Idling(package, memory):
            sensor = PyraplSensor.open()
        names = [channel.name for channel in sensor.channels]
        before_j = [sensor.read_j(name) for name in names]
        use(package, 10_000_000), use(memory, 2_500_000)
        used_j = [sensor.read_j(name) - before for name, before in zip(names, before_j)]
        use(package, 400_000_000)
        try:
            sensor.read_j("cpu:package-0")
        except EnergyError as error:
            wrapped = str(error)
        sensor.close()
        print(json.dumps({"used_j": dict(zip(names, used_j)), "wrapped": wrapped}))
        """
    )
    assert seen["used_j"] == pytest.approx({"cpu:package-0": 10.0, "dram:package-0": 2.5}, abs=1e-9)
    assert "pyRAPL's counter fell from 262110" in seen["wrapped"]
