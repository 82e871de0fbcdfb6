"""What a server and other processes take from the processors while a client runs.

Rule 1: time of a child that ended is in its parent's, so nothing is lost when a server ends one of its own.
Rule 2: of a server on another machine nothing is known, which is not zero.
Rule 3: a server can wait busily for its next request, so its time is told from the first request sent to the
last token received, or what a client does before and after would be in it.
"""

import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from pytest_energy.errors import NotMeasurable

SAMPLE_S = 0.1  # a reading takes 0.07 ms: a thousandth of the client's cores

Reading = tuple[float, float]
"""Time by `time.monotonic`, on Linux also any process's `time.perf_counter`; processor time so far."""


class ProcessorTime:
    """Processor time of this machine since this was made.

    Args:
        server_pids: Processes of the server; empty where it runs elsewhere.
    """

    def __init__(self, server_pids: Sequence[int]) -> None:
        import psutil

        self._server: list[psutil.Process] = []
        for pid in server_pids:
            with suppress(psutil.NoSuchProcess):
                self._server.append(psutil.Process(pid))
        self._start_s = time.monotonic()
        self._start_foreign_s = self._foreign_s()

    def foreign_cores(self) -> float:
        """Cores that neither this process, its ended children nor the server was busy on, on average."""
        return max(0.0, (self._foreign_s() - self._start_foreign_s) / (time.monotonic() - self._start_s))

    @contextmanager
    def sampled(self) -> Iterator[list[Reading]]:
        """Readings of the server's time, before, after and regularly during the block."""
        readings = [self._reading()]
        is_over = threading.Event()

        def sample() -> None:
            while not is_over.wait(SAMPLE_S):
                readings.append(self._reading())

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            yield readings
        finally:
            is_over.set()
            thread.join()
            readings.append(self._reading())

    def server_s(self, readings: Sequence[Reading], span_s: tuple[float, float]) -> float | None:
        """What the server took from start to end of *span_s*, or `None` where it runs elsewhere."""
        return taken_s(readings, *span_s) if self._server else None

    def _reading(self) -> Reading:
        return time.monotonic(), self._server_time_s()

    def _foreign_s(self) -> float:
        import psutil

        all_times, own = psutil.cpu_times(), os.times()
        # Time of guests is in the users' already.
        all_s = sum(all_times) - all_times.idle - all_times.iowait - all_times.guest - all_times.guest_nice
        own_s = own.user + own.system + own.children_user + own.children_system
        return all_s - own_s - self._server_time_s()

    def _server_time_s(self) -> float:
        import psutil

        server_s = 0.0
        for process in self._server:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                server_s += times.user + times.system + times.children_user + times.children_system
        return server_s


def taken_s(readings: Sequence[Reading], start_s: float, end_s: float) -> float:
    """Processor time between two times, even between neighbouring *readings*.

    Raises:
        NotMeasurable: The times aren't within the readings.

    >>> taken_s([(0.0, 5.0), (1.0, 5.0), (2.0, 6.0)], 0.5, 1.5)
    0.5
    """
    if not readings[0][0] <= start_s <= end_s <= readings[-1][0]:
        raise NotMeasurable(
            f"the load from {start_s:g} to {end_s:g} s is not within the server's readings, from "
            f"{readings[0][0]:g} to {readings[-1][0]:g} s; the client's clock is not that of this process"
        )
    return _at(readings, end_s) - _at(readings, start_s)


def _at(readings: Sequence[Reading], time_s: float) -> float:
    after = bisect_left(readings, (time_s,))
    if after == 0:
        return readings[0][1]
    (before_s, before_cpu_s), (after_s, after_cpu_s) = readings[after - 1], readings[after]
    return before_cpu_s + (after_cpu_s - before_cpu_s) * (time_s - before_s) / (after_s - before_s)
