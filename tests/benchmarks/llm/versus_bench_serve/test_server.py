"""The server of the comparison with `vllm bench serve`: what it runs on, and the processor time it takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.llm.versus_bench_serve.clients import Bench
from benchmarks.llm.versus_bench_serve.devices import CPU, CUDA, DEVICES, Device, gpu_facts
from benchmarks.llm.versus_bench_serve.outcome import outcome
from benchmarks.llm.versus_bench_serve.processor_time import ProcessorTime, taken_s
from benchmarks.llm.versus_bench_serve.server import server_arguments
from benchmarks.llm.versus_bench_serve.work import Work
from pytest_energy.errors import NotMeasurable
from tests.fakes.nvml import FakeGpu, FakeNvml, NVMLError_DriverNotLoaded, NVMLError_GpuIsLost

WORK = Work(size="1M", prompt_tokens=5, output_tokens=3, count=4, rate=2.0, burstiness=1.0, arrivals="same")


def arguments(device: Device) -> list[str]:
    return server_arguments(Path("model"), device, port=8000, longest=152)


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_server_is_for_this_machine_and_repeats_nothing(device: Device) -> None:
    """On any device it listens to this machine alone, and keeps no prefix of an earlier run."""
    told = arguments(device)
    assert told[told.index("--host") + 1] == "127.0.0.1"
    assert told[told.index("--max-model-len") + 1] == "152"
    assert {"dummy", "--no-enable-prefix-caching"} < set(told)


def test_only_a_cpu_leaves_compilation_out() -> None:
    """A GPU's server compiles and captures graphs, as one in use does."""
    assert "--enforce-eager" in arguments(CPU)
    assert "--enforce-eager" not in arguments(CUDA)


def test_gpu_knows_no_variable_of_the_cpu() -> None:
    """What makes room on a CPU is nothing to a GPU."""
    assert all(name.startswith("VLLM_CPU_") for name in CPU.environment)
    assert not any(name.startswith("VLLM_CPU_") for name in CUDA.environment)


def test_facts_name_the_gpu_and_its_driver() -> None:
    """Each model once: which of several the server took isn't known."""
    nvml = FakeNvml(FakeGpu(model="NVIDIA L4"), FakeGpu(model="NVIDIA H100"), FakeGpu(model="NVIDIA L4"))
    assert gpu_facts(nvml) == {"GPU": "NVIDIA H100, NVIDIA L4", "driver": "550.163.01"}
    assert not nvml.is_started


@pytest.mark.parametrize(
    "nvml",
    [
        FakeNvml(FakeGpu(), failures={"nvmlInit": NVMLError_DriverNotLoaded()}),
        FakeNvml(FakeGpu(failures={"nvmlDeviceGetName": NVMLError_GpuIsLost()})),
        FakeNvml(),
    ],
    ids=["no driver", "lost", "none"],
)
def test_gpu_that_does_not_tell_is_absent(nvml: FakeNvml) -> None:
    """A run is not lost for a name, and no name is made up."""
    assert gpu_facts(nvml) == {}
    assert not nvml.is_started


def test_outcome_names_the_device() -> None:
    """A server on the CPU has no GPU in its facts."""
    told = outcome(WORK, CPU, [], [])
    assert told["device"] == "cpu"
    assert isinstance(facts := told["facts"], dict)
    assert facts.keys().isdisjoint({"GPU", "driver"})


def test_server_elsewhere_has_no_processes_here() -> None:
    """What listens on the same port of this machine is not that server."""
    bench = Bench(url="http://192.0.2.1:22", model=Path(), vocabulary=4, folder=Path(), work=WORK)
    assert bench.server_pids() == ()


def test_time_of_a_server_elsewhere_is_absent() -> None:
    """Absent is not zero."""
    processors = ProcessorTime([])
    with processors.sampled() as readings:
        pass
    assert processors.server_s(readings, (readings[0][0], readings[-1][0])) is None


def test_time_of_an_ended_child_counts() -> None:
    """What a server's process did before it ended is in the server's time."""
    processors = ProcessorTime([os.getpid()])
    code = "import time\nwhile time.process_time() < 0.2: pass"
    with processors.sampled() as readings:
        subprocess.run([sys.executable, "-S", "-c", code], check=True)  # noqa: S603
    taken = processors.server_s(readings, (readings[0][0], readings[-1][0]))
    assert taken is not None
    assert taken >= 0.18  # two ticks of the kernel's clock less


def test_time_is_even_between_readings() -> None:
    """Of half the time between two readings half of what was taken."""
    readings = [(10.0, 3.0), (11.0, 4.0), (12.0, 4.0), (13.0, 8.0)]
    assert taken_s(readings, 10.5, 12.25) == pytest.approx(1.5)
    assert taken_s(readings, 10.0, 13.0) == 5.0
    assert taken_s(readings, 11.0, 12.0) == 0.0


@pytest.mark.parametrize(("start_s", "end_s"), [(9.0, 11.0), (11.0, 14.0), (12.0, 11.0)])
def test_load_outside_the_readings_is_refused(start_s: float, end_s: float) -> None:
    """Times of another clock give no figure."""
    with pytest.raises(NotMeasurable, match="not within the server's readings"):
        taken_s([(10.0, 3.0), (13.0, 8.0)], start_s, end_s)
