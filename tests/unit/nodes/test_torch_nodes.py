"""The other nodes of a job: their agents, as they say in the store where they are."""

import json
import os
from dataclasses import replace

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.model import Channel, Domain, Machine, Provenance
from pytest_energy.nodes.lockstep import Watch
from pytest_energy.nodes.node_agent import AgentAddress, AgentProcess
from pytest_energy.nodes.torch_nodes import announce, other_nodes
from pytest_energy.nodes.torchrun import Rank
from pytest_energy.remote.meter import RemoteMeter
from pytest_energy.remote.protocol import AgentDescription
from tests.fakes.rank_store import RankStore, WaitingClock
from tests.unit.nodes.test_torchrun import RANK

RANK_0 = replace(RANK, rank=0, local_rank=0, node=0)
OWN = AgentDescription(
    agent_id="own",
    host="host-a",
    version="1",
    provenance=Provenance.ESTIMATED,
    channels=(
        Channel(name="cpu:processes", domain=Domain.CPU, device="cpu", is_ticked=False, resolution_j=1e-3),
    ),
    statuses=(),
    machine=Machine(key="a"),
)


def _others(store: RankStore, clock: WaitingClock, rank: Rank = RANK_0) -> dict[str, RemoteMeter]:
    watch = Watch(store, clock, lambda _: None)
    return other_nodes(store, rank, OWN, watch=watch, clock=clock, pids_of=lambda _: {4: os.getpid()})


def _address(**values: str) -> str:
    return json.dumps({"host_name": "host-b", **values})


def test_a_node_that_cannot_be_measured_is_an_error_with_its_name() -> None:
    """There is no sum without it."""
    store = RankStore()
    store.put("agent/1", _address(because="aiohttp is not installed"))
    with pytest.raises(EnergyError, match=r"^host-b can't be measured: aiohttp is not installed$"):
        _others(store, WaitingClock())


def test_a_node_that_never_answers_is_not_waited_for_for_ever() -> None:
    """Its first rank gives no sign of life, so nothing will come."""
    clock = WaitingClock()
    before_s = clock.now_s()
    with pytest.raises(EnergyError, match=r"^node 1 can't be measured: rank 4 has given no sign of life"):
        _others(RankStore(), clock)
    assert clock.now_s() - before_s < 40


@pytest.mark.slow
def test_a_nodes_agent_is_a_process_that_ends_with_its_rank() -> None:
    """It listens where the other node reaches it, wants the token, and is gone when it is closed."""
    store = RankStore()
    agent = AgentProcess(("127.0.0.1", 1), sensors=("estimate",), cpu_tdp_w=10.0)
    try:
        assert agent.address.because is None
        assert agent.address.url.startswith("http://127.0.0.1:")
        announce(store, replace(RANK, local_rank=0), agent)
        (remote,) = _others(store, WaitingClock()).values()
        assert [channel.name for channel in remote.description.channels] == ["cpu:machine"]
        remote.close()
        store.put("agent/1", _address(url=agent.address.url, token="wrong" * 8))
        with pytest.raises(EnergyError, match="token"):
            _others(store, WaitingClock())
    finally:
        agent.close()
    with pytest.raises(ProcessLookupError):
        os.kill(agent.pid, 0)


@pytest.mark.slow
def test_an_agent_that_cannot_start_says_why() -> None:
    """What is wrong on the other node is read on this one."""
    agent = AgentProcess(("127.0.0.1", 1), sensors=("nothing",), cpu_tdp_w=None)
    agent.close()
    assert isinstance(agent.address, AgentAddress)
    assert "no sensor is named nothing" in (agent.address.because or "")
