"""Where tests of one run are measured: this machine, machines with an agent, the nodes of a Ray cluster.

Rule 1: each is made when a test first needs it.
Rule 2: joules that are replayed from a file stand in for every place.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from pytest_energy.nodes.ray_actor import Driver, Wanted
from pytest_energy.nodes.ray_cluster import LiveCluster
from pytest_energy.nodes.ray_meters import RayMeters
from pytest_energy.plugin.elsewhere import Elsewhere
from pytest_energy.plugin.place import Place
from pytest_energy.plugin.progress import progress_of
from pytest_energy.plugin.ray_places import RayPlaces
from pytest_energy.plugin.settings import RayMode
from pytest_energy.remote.address import MeterAddress
from pytest_energy.remote.meter import this_run

if TYPE_CHECKING:
    from pytest_energy.plugin.run import EnergyRun

_OF_CODE = ("git_commit", "git_dirty")


class Places:
    """The places of *run*."""

    def __init__(self, run: "EnergyRun") -> None:
        self._run = run

    @cached_property
    def here(self) -> Place:
        """This machine, or the file whose joules stand in for it; its meter is started."""
        return Place(meter=self._run.meter, machine=self._run.machine)

    def get_ready(self) -> None:
        """Start this machine's meter, and ask what the others need, while no test's patches are in force."""
        self.here.meter.start()
        _ = self.ray

    def usual(self) -> Place:
        """Where a test is measured that names no place.

        Raises:
            EnergyError: It is a Ray cluster of which a node can't be measured.
        """
        return self.ray.of() if self._is_ray_usual else self.here

    def of(self, address: MeterAddress) -> Place:
        """The machine of the agent at *address*.

        Raises:
            EnergyError: The agent can't be reached, or measures nothing.
        """
        return self.here if self._is_replayed else self._elsewhere.place(address)

    @property
    def _is_replayed(self) -> bool:
        return self._run.settings.replay_path is not None

    @property
    def _is_ray_usual(self) -> bool:
        mode = self._run.settings.ray_mode
        if self._is_replayed or mode is RayMode.OFF:
            return False
        return mode is RayMode.ON or self.ray.has_several_nodes

    @property
    def _code(self) -> dict[str, str]:
        """Facts of the code under test, which is on this machine; git isn't asked among a test's patches."""
        varying = self._run.machine.varying
        return {name: varying[name] for name in _OF_CODE if name in varying}

    @cached_property
    def _elsewhere(self) -> Elsewhere:
        run = self._run
        return Elsewhere(
            this_run(run.session_id),
            run.clock,
            here=self._code,
            status=progress_of(run.config).status,
        )

    @cached_property
    def ray(self) -> RayPlaces:
        """The nodes of the cluster that a test is connected to."""
        run = self._run
        wanted = Wanted(
            names=run.settings.sensor_names,
            cpu_tdp_w=run.settings.cpu_tdp_w,
            openers=run.offered_sensors,
            driver=Driver.this_process(),
        )
        return RayPlaces(
            RayMeters(LiveCluster(), wanted),
            clock=run.clock,
            synchronize=run.synchronize,
            here=self._code,
            status=progress_of(run.config).status,
            owned=run.owned,
        )

    def pause(self) -> None:
        """Let go of other machines until the next test."""
        for others in self._others():
            others.pause()

    def close(self) -> None:
        for others in self._others():
            others.close()

    def _others(self) -> tuple[Elsewhere | RayPlaces, ...]:
        """Those that a test has needed."""
        made = vars(self)
        return tuple(made[name] for name in ("_elsewhere", "ray") if name in made)
