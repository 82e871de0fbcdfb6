"""Short loads that make a machine's counters move.

Rule 1: a load is at work when `start` returns and over when `stop` returns.
Rule 2: importing this module does not import torch.
Rule 3: no load outlives the one who started it by more than a few seconds.
"""

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.synchronize import synchronize
from pytest_energy.model import Domain
from pytest_energy.profiling.lazy_torch import torch
from pytest_energy.system import usable_cpu_count

# A process that nobody stops ends by itself: rule 3.
_LIMIT_S = 30.0
_BUSY = (
    "import sys, time\n"
    "end = time.monotonic() + float(sys.argv[1])\n"
    "print('busy', flush=True)\n"
    "while time.monotonic() < end: pass\n"
)

# A product of this size takes 0.2 ms on an H100 and 14 ms on a GPU of 10 TFLOPS; two such matrices are 67 MB.
_SIZE = 4096
# Products between two waits: enough that a GPU doesn't fall idle, few enough that a slow one stops soon.
_BATCH = 20


class Load(Protocol):
    """Work that goes on from `start` to `stop`."""

    @property
    def what(self) -> str: ...

    @property
    def domains(self) -> frozenset[Domain]:
        """What it makes draw more."""
        ...

    def start(self) -> None:
        """Begin.

        Raises:
            NotMeasurable: This load isn't possible here, with the reason.
        """
        ...

    def stop(self) -> None:
        """End.

        Raises:
            NotMeasurable: The work failed on the way.
        """
        ...


class CpuLoad:
    """A busy process for each CPU that this one may run on.

    Args:
        process_count: Another number of processes.
    """

    domains = frozenset({Domain.CPU, Domain.DRAM})

    def __init__(self, process_count: int | None = None) -> None:
        self._count = usable_cpu_count() if process_count is None else process_count
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def what(self) -> str:
        return f"{self._count} busy CPU(s)"

    def start(self) -> None:
        command = [sys.executable, "-I", "-S", "-c", _BUSY, str(_LIMIT_S)]
        try:
            for _ in range(self._count):
                self._processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))  # noqa: S603  # our own
        except OSError as error:
            self.stop()
            raise NotMeasurable(f"no process could be started: {error}") from error
        for process in self._processes:
            if process.stdout is not None:
                process.stdout.readline()

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.communicate()
        self._processes = []


class GpuLoad:
    """Products of large matrices on each GPU that CUDA sees, by torch.

    Args:
        devices: Other devices of torch.
        size: Rows and columns.
    """

    what = "matrix products on each GPU"
    domains = frozenset({Domain.GPU})

    def __init__(self, devices: Sequence[str] | None = None, size: int = _SIZE) -> None:
        self._devices, self._size = devices, size
        self._pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: RuntimeError | None = None

    def start(self) -> None:
        if importlib.util.find_spec("torch") is None:
            raise NotMeasurable("torch is not installed: pip install torch")
        devices = self._devices
        if devices is None:
            if not torch.cuda.is_available():
                raise NotMeasurable(f"torch {torch.__version__} finds no GPU through CUDA")
            devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        try:
            self._pairs = [
                (matrix, torch.empty_like(matrix))
                for device in devices
                for matrix in [torch.rand(self._size, self._size, device=device, dtype=torch.float16)]
            ]
            self._work()  # the first products load the kernels
        except RuntimeError as error:
            self._pairs = []
            raise NotMeasurable(
                f"torch can't multiply on {', '.join(devices)}: {_first_line(error)}"
            ) from error
        self._thread = threading.Thread(target=self._run, name="pytest-energy-load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._pairs = []
        if self._failure is not None:
            raise NotMeasurable(f"torch failed to multiply: {_first_line(self._failure)}")

    def _run(self) -> None:
        try:
            make_current(product.device for _, product in self._pairs)
            while not self._is_stopping.is_set():
                self._work()
        except RuntimeError as error:
            self._failure = error

    def _work(self) -> None:
        for _ in range(_BATCH):
            for matrix, product in self._pairs:
                torch.mm(matrix, matrix, out=product)
        synchronize()


def make_current(devices: "Iterable[torch.device]") -> None:
    """Give the calling thread a CUDA context, as the thread that opened the device has: cuBLAS asks for one.

    `set_device` alone is no call of CUDA's where the device is the thread's own already, as the first is in
    a new thread; to wait for it is.

    Args:
        devices: That the thread will work on; without CUDA nothing is done.
    """
    for device in devices:
        if device.type == "cuda":
            torch.cuda.set_device(device)
            torch.cuda.synchronize(device)


def _first_line(error: RuntimeError) -> str:
    """What *error* says, without the advice that CUDA's errors end with."""
    return (str(error).strip().splitlines() or ["no message"])[0]
