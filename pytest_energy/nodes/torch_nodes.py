"""The other nodes of a job that torchrun has started, each measured by an agent of its own.

Rule 1: the first rank of each other node starts its agent, and says in the store where it is.
Rule 2: a node whose agent can't start is an error before the first test: no sum without it.
Rule 3: ranks of several nodes on one machine don't read its counters twice (`own_counters`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_energy.codec import decode, encode, parse
from pytest_energy.errors import EnergyError, printable
from pytest_energy.meter.clock import Clock
from pytest_energy.nodes.joined import node_name
from pytest_energy.nodes.lockstep import Store, Watch
from pytest_energy.nodes.node_agent import AgentAddress, AgentProcess
from pytest_energy.nodes.own_counters import own_counters
from pytest_energy.nodes.torchrun import Rank
from pytest_energy.remote.address import MeterAddress
from pytest_energy.remote.http_source import HttpSource
from pytest_energy.remote.meter import RemoteMeter, remote_meter, this_run
from pytest_energy.remote.protocol import AgentDescription, AgentSource, Cursor, Poll, Who

_START_S = 120.0  # of an agent: a machine may be loading its libraries for many ranks at once
_NAP_S = 0.05


def announce(store: Store, rank: Rank, agent: AgentProcess) -> None:
    """Say where the agent of this node is."""
    store.put(_key(rank.node), json.dumps(encode(agent.address)))


@dataclass(frozen=True, slots=True)
class _Limited:
    """An agent, of which some channels alone are used."""

    source: AgentSource
    limited: AgentDescription

    def description(self) -> AgentDescription:
        return self.limited

    def poll(self, cursor: Cursor, who: Who) -> Poll:
        return self.source.poll(cursor, who)

    def release(self, who: Who) -> None:
        self.source.release(who)

    def close(self) -> None:
        self.source.close()


def other_nodes(
    store: Store,
    rank: Rank,
    own: AgentDescription,
    *,
    watch: Watch,
    clock: Clock,
    pids_of: Callable[[int], Mapping[int, int]],
) -> dict[str, RemoteMeter]:
    """A meter for each other node, by its name; ready when all of them are.

    Args:
        store: Shared by all ranks.
        rank: Of this process.
        own: What this node reads itself.
        watch: Of the other ranks.
        clock: Of this process.
        pids_of: By rank, the processes of a node's ranks: they are this run's own.

    Raises:
        EnergyError: A node can't be measured.
    """
    node_count = len(rank.ranks_by_node)
    addresses = {
        node: _address(store, rank, node, watch, clock) for node in range(node_count) if node != rank.node
    }
    sources = {node: _source(address) for node, address in addresses.items()}
    descriptions = {str(node): source.description() for node, source in sources.items()}
    kept = own_counters({str(rank.node): own, **descriptions})
    taken = {node_name(own.host)}
    meters: dict[str, RemoteMeter] = {}
    for node, source in sources.items():
        if str(node) in kept:
            name = node_name(descriptions[str(node)].host)
            name = name if name not in taken else f"{name[:50]}-node{node}"
            taken.add(name)
            pids = frozenset(pids_of(node).values())
            meters[name] = remote_meter(
                _Limited(source, kept[str(node)]),
                name=name,
                who=this_run(),
                clock=clock,
                is_kin=pids.__contains__,
            )
    return meters


def _address(store: Store, rank: Rank, node: int, watch: Watch, clock: Clock) -> AgentAddress:
    until_s, first = clock.now_s() + _START_S, node * rank.local_world_size
    while not store.have([_key(node)]):
        because = watch.why_lost(first)
        if because is None and clock.now_s() > until_s:
            because = f"its agent has not started within {_START_S:.0f} s"
        if because is not None:
            raise EnergyError(f"node {node} can't be measured: {because}")
        clock.sleep_s(_NAP_S)
    address = decode(
        parse(store.read(_key(node)) or "{}", "a node's address"), AgentAddress, "a node's address"
    )
    if address.because is not None:
        raise EnergyError(printable(f"{address.host_name} can't be measured: {address.because}"))
    return address


def _source(address: AgentAddress) -> HttpSource:
    """A client of the agent there; its token is read from a file, as any agent's."""
    with TemporaryDirectory(prefix="pytest-energy-") as folder:
        token_file = Path(folder) / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(address.token, encoding="ascii")
        return HttpSource(replace(MeterAddress.parse(address.url), token_file=token_file))


def _key(node: int) -> str:
    return f"agent/{node}"
