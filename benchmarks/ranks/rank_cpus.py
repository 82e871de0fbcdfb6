"""Where no GPU is: joules of each rank estimated from its CPU time, to try the benchmark without one."""

from collections.abc import Mapping

from pytest_energy.errors import SensorError
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.process_table import ProcessTable
from pytest_energy.sensors.protocol import Facts
from pytest_energy.usage import Usage

_POWER_W = 3.5  # of a busy logical CPU; what it is in truth doesn't matter here


class RankCpus:
    """A channel for each rank's process.

    Args:
        pids: Of the processes, by rank.
    """

    name = "rank_cpus"
    provenance = Provenance.ESTIMATED

    def __init__(self, pids: Mapping[int, int]) -> None:
        self._table = ProcessTable()
        self._pids = {f"cpu:rank-{rank}": pid for rank, pid in pids.items()}
        self.channels = tuple(
            Channel(
                name=name,
                domain=Domain.CPU,
                device=name,
                is_ticked=False,
                resolution_j=1e-6,
                is_of_processes=True,
            )
            for name in self._pids
        )

    def read_j(self, channel: str) -> float:
        seconds = self._table.clock_s(self._pids[channel])
        if seconds is None:
            raise SensorError(f"{channel}: its process has ended")
        return _POWER_W * seconds

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts()

    def close(self) -> None:
        """Nothing to close."""
