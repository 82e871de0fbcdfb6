"""A run in several ranks of one job: which of them this process is."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.nodes.lockstep import Follower, Pulse, Watch
from pytest_energy.nodes.node_agent import AgentProcess
from pytest_energy.nodes.torch_nodes import announce
from pytest_energy.nodes.torchrun import JOINED, Siblings, TorchStore, rank_of
from pytest_energy.plugin.following import Following
from pytest_energy.plugin.leading import Job, Leading
from pytest_energy.plugin.mark import id_of
from pytest_energy.plugin.run import EnergyRun
from pytest_energy.plugin.termination import is_ours
from pytest_energy.sensors.process_table import ProcessTable


def join(config: pytest.Config, run: EnergyRun, items: Sequence[pytest.Item]) -> None:
    """Have this process measure *items* together with the other ranks, if torchrun has started it as one.

    Raises:
        SettingsError: The ranks can't find one another, or an option needs a single process.
    """
    rank = rank_of(run.environ)
    if rank is None:
        return
    if run.settings.measures_benchmarks:
        raise SettingsError("--energy-benchmark measures in one process, and torchrun has started several")
    store = TorchStore(rank)
    siblings, pulse = Siblings(store, rank, ProcessTable()), Pulse(TorchStore(rank), rank.rank)
    siblings.announce()
    os.environ[JOINED] = str(rank.rank)
    config.add_cleanup(_leave)
    pulse.start()
    config.add_cleanup(pulse.stop)
    job = Job(rank, store, Watch(store, run.clock, siblings.why_ended), siblings)
    numbers = {id_of(item): number for number, item in enumerate(items)}
    following = config.pluginmanager.getplugin("energy-follower")
    if isinstance(following, Following):
        _follow(following, run, job, numbers)
    else:
        run.leading = Leading(run, job, numbers)
        config.pluginmanager.register(run.leading, "energy-leader")
        if is_ours():
            run.leading.take_sigterm()


def _leave() -> None:
    os.environ.pop(JOINED, None)


def _follow(following: Following, run: EnergyRun, job: Job, numbers: Mapping[str, int]) -> None:
    rank, settings = job.rank, run.settings
    run.following, run.settings = following, replace(settings, is_off=True)
    if rank.local_rank == 0 and settings.replay_path is None:  # the first of a node that isn't rank 0's
        agent = AgentProcess(
            (rank.address, rank.port), sensors=settings.sensor_names, cpu_tdp_w=settings.cpu_tdp_w
        )
        run.config.add_cleanup(agent.close)
        announce(job.store, rank, agent)
    following.follow(Follower(job.store, rank.rank, job.watch, run.clock), numbers, run.synchronize)
