"""Projects whose fixture `benchmark` comes from a stand-in, or from a plugin that is installed."""

import importlib.util
import inspect
from typing import NamedTuple

import pytest

from tests.plugin.conftest import Project, Run

ROUNDS_J = [9.9, 10.0, 10.1, 9.95, 10.05]
NOT_REAL = ("-p", "no:benchmark", "-p", "no:codspeed")
# What both plugins promise: the result of the work, its setup before and its teardown after, once a test.
STAND_IN = """
import pytest

class Benchmark:
    def __init__(self):
        self.is_used = False

    def _use(self):
        assert not self.is_used, "used twice"
        self.is_used = True

    def __call__(self, target, *args, **kwargs):
        self._use()
        return [target(*args, **kwargs) for _ in range(3)][-1]

    def pedantic(self, target, args=(), kwargs=None, setup=None, teardown=None, rounds=1, iterations=1):
        self._use()
        for _ in range(rounds):
            args, kwargs = (setup() if setup else None) or (args, kwargs or {})
            result = [target(*args, **kwargs) for _ in range(iterations)][-1]
            if teardown:
                teardown(*args, **kwargs)
        return result

@pytest.fixture
def benchmark():
    return Benchmark()

def pytest_configure(config):
    config.addinivalue_line("markers", "benchmark: settings of a benchmark")
"""
# Joules are what the work says it uses, so that the truth is known.
SENSOR = """
import time

from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.usage import Usage
from pytest_energy.sensors.protocol import Facts

JOULES = {"cpu:steady": 0.0}

def use(energy_j):
    JOULES["cpu:steady"] += energy_j
    time.sleep(0.03)  # joules of no time at all are void

class Steady:
    name, provenance = "steady", Provenance.MEASURED
    channels = (
        Channel(name="cpu:steady", domain=Domain.CPU, device="steady", is_ticked=False, resolution_j=1e-9),
    )

    def read_j(self, channel):
        return JOULES[channel]

    def usage(self):
        return Usage()

    def facts(self):
        return Facts(key_parts=("steady",))

    def close(self):
        pass

def pytest_energy_sensors(config):
    return {"steady": Steady}
"""
WORK = """
def test_work(benchmark):
    assert benchmark(len, "four") == 4
"""


class Brought(NamedTuple):
    """What brings the fixture, and the arguments that leave the others out and keep it short."""

    module: str | None
    arguments: tuple[str, ...]

    @property
    def is_there(self) -> bool:
        found = self.module and importlib.util.find_spec(self.module)
        return self.module is None or bool(found and found.origin)  # a folder that pip left behind has none


BROUGHT = {
    "stand-in": Brought(None, NOT_REAL),
    "pytest-benchmark": Brought(
        "pytest_benchmark",
        ("-p", "no:codspeed", "--benchmark-max-time=0.001", "--benchmark-min-rounds=1"),
    ),
    "pytest-codspeed": Brought(
        "pytest_codspeed",
        ("-p", "no:benchmark", "--codspeed", "--codspeed-max-time=0.001", "--codspeed-warmup-time=0"),
    ),
}


class Benchmarks:
    """A project whose `benchmark` is a stand-in's, or a real plugin's."""

    def __init__(self, project: Project, brought: Brought) -> None:
        self.project, self.module = project, brought.module
        self._arguments = brought.arguments
        self._conftest = STAND_IN if brought.module is None else ""
        self.project.replay({"test_work": ROUNDS_J})
        self.write(WORK)

    def write(self, source: str, *, conftest: str = "") -> None:
        self.project.write(source)
        self.project.write(self._conftest + conftest, "conftest.py")

    def live(self, source: str) -> None:
        """Measure with the sensor rather than from the file."""
        (self.project.path / "replay.json").unlink()
        self.write("from conftest import use\n" + source, conftest=SENSOR)
        self._arguments += ("--energy-sensors=steady", "--energy-rounds=3")

    def run(self, *arguments: str, subprocess: bool = False) -> Run:
        return self.project.run(*self._arguments, "--energy-benchmark", *arguments, subprocess=subprocess)

    def run_without(self, *arguments: str) -> Run:
        return self.project.run(*self._arguments, *arguments)


@pytest.fixture(params=[name for name, brought in BROUGHT.items() if brought.is_there])
def benchmarks(request: pytest.FixtureRequest, virtual_project: Project) -> Benchmarks:
    return Benchmarks(virtual_project, BROUGHT[request.param])


@pytest.fixture
def teardowns(benchmarks: Benchmarks) -> Benchmarks:
    """Those whose `pedantic` takes a teardown: that of pytest-benchmark 4 does not."""
    if benchmarks.module == "pytest_benchmark":
        fixture = importlib.import_module("pytest_benchmark.fixture").BenchmarkFixture
        if "teardown" not in inspect.signature(fixture.pedantic).parameters:
            pytest.skip("this pytest-benchmark has no teardown")
    return benchmarks


@pytest.fixture
def stand_in(virtual_project: Project) -> Benchmarks:
    return Benchmarks(virtual_project, BROUGHT["stand-in"])


@pytest.fixture
def real(project: Project) -> Benchmarks:
    if not BROUGHT["pytest-benchmark"].is_there:
        pytest.skip("pytest-benchmark is not installed")
    return Benchmarks(project, BROUGHT["pytest-benchmark"])
