"""One process and one GPU: work of the CPU before and after CUDA was opened, short and light work of the GPU.

Run by benchmarks/scope/show.py, in this order: what is open stays open.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

import pytest_energy

ENERGY = pytest.mark.energy(rounds=3, budget_j=5000)
PRODUCT_S = 0.0014  # of two matrices of 8192 x 8192 in bfloat16, on an H100
CHILD = "from benchmarks.scope.cases import gpu; gpu(0.3)"


def cpu(duration_s: float) -> None:
    """Keep one core busy."""
    end_s = time.perf_counter() + duration_s
    while time.perf_counter() < end_s:
        pass


def gpu(duration_s: float) -> None:
    """Keep the GPU busy, for about *duration_s* on an H100."""
    import torch  # the first test has none

    one = torch.ones(8192, 8192, dtype=torch.bfloat16, device="cuda")
    for _ in range(max(1, round(duration_s / PRODUCT_S))):
        torch.mm(one, one)
    torch.cuda.synchronize()


def short_and_rest() -> None:
    """5 ms of the GPU in a tenth of a second."""
    gpu(0.005)
    cpu(0.095)


def child() -> None:
    """Another process, and its GPU work."""
    subprocess.run([sys.executable, "-c", CHILD], check=True)  # noqa: S603  # our own words


@pytest.fixture
def busy_gpu() -> Iterator[None]:
    """A thread that works before the windows, too."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            gpu(0.014)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


@ENERGY
def test_cpu_before_cuda(energy: pytest_energy.Energy) -> None:
    """Nothing of this process has opened the GPU."""
    energy.measure(cpu, 0.3)


@ENERGY
@pytest.mark.parametrize(
    "work",
    [
        pytest.param(partial(gpu, 0.005), id="gpu_5_ms"),
        pytest.param(short_and_rest, id="gpu_5_ms_in_100"),
        pytest.param(partial(gpu, 0.3), id="gpu_300_ms"),
        pytest.param(partial(cpu, 0.3), id="cpu_after_cuda"),
        pytest.param(child, id="gpu_of_a_child"),
    ],
)
def test_work(energy: pytest_energy.Energy, work: Callable[[], None]) -> None:
    """The context of CUDA stays open from the first of these on."""
    energy.measure(work)


@ENERGY
@pytest.mark.usefixtures("busy_gpu")
def test_gpu_of_a_thread(energy: pytest_energy.Energy) -> None:
    """The test itself only waits."""
    energy.measure(time.sleep, 0.3)
