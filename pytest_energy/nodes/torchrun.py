"""The ranks of a job that torchrun has started, and the store that it offers them.

Source:
    torch.distributed.run, section "Environment Variables"; torch.distributed, class `TCPStore`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pytest_energy.codec import Document, decode, encode, parse
from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.nodes.lockstep import RankLost, Store
from pytest_energy.sensors.process_table import ProcessTable

distributed: Any = LazyModule("torch.distributed")  # its stores aren't in its stubs

_CONNECT = timedelta(seconds=60)  # the store runs before the ranks do

JOINED = "PYTEST_ENERGY_RANK_JOINED"
"""Variable of what a rank starts: it has the rank's environment, and is no rank itself."""

_NUMBERS = {
    "rank": "RANK",
    "world_size": "WORLD_SIZE",
    "local_rank": "LOCAL_RANK",
    "local_world_size": "LOCAL_WORLD_SIZE",
    "node": "GROUP_RANK",
    "restart": "TORCHELASTIC_RESTART_COUNT",
    "port": "MASTER_PORT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """One process of a job of several.

    Attributes:
        rank: Its number in the job; rank 0 measures.
        local_rank: Its number on its node.
        node: Number of its node.
        restart: How often torchrun has started all ranks again.
        address: Where torchrun's store is.
        run_id: Of the job.
        shares_store: torchrun lets the ranks use its store.
    """

    rank: int
    world_size: int
    local_rank: int
    local_world_size: int
    node: int
    restart: int
    address: str
    port: int
    run_id: str
    shares_store: bool

    @property
    def name(self) -> str:
        return f"rank {self.rank}"

    @property
    def ranks_by_node(self) -> tuple[int, ...]:
        """As many on each node: torchrun knows no other way."""
        return (self.local_world_size,) * max(1, self.world_size // self.local_world_size)

    def node_of(self, rank: int) -> int:
        return rank // self.local_world_size


def rank_of(environ: Mapping[str, str]) -> Rank | None:
    """The rank of this process, or `None` if torchrun didn't start it as one of several.

    Raises:
        SettingsError: A variable of torchrun's is missing or no number.
    """
    if JOINED in environ or "TORCHELASTIC_RUN_ID" not in environ or environ.get("WORLD_SIZE") == "1":
        return None
    numbers = {name: _number(environ, variable) for name, variable in _NUMBERS.items()}
    return Rank(
        **numbers,
        address=environ.get("MASTER_ADDR", "localhost"),
        run_id=environ["TORCHELASTIC_RUN_ID"],
        shares_store=environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
    )


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ.get(name, "")
    if not text.isdecimal():
        raise SettingsError(f"{name} must be a number, as torchrun sets it. Got {text!r}.")
    return int(text)


class TorchStore:
    """torchrun's store, under a prefix of its own; see `lockstep.Store`.

    Args:
        rank: Of this process.

    Raises:
        SettingsError: torchrun keeps its store for itself.
    """

    def __init__(self, rank: Rank) -> None:
        if not rank.shares_store:
            raise SettingsError(
                "torchrun keeps its store for itself, so the ranks can't measure together.\n"
                "Unset TORCH_DISABLE_SHARE_RDZV_TCP_STORE, or measure without: --energy-off"
            )
        store = distributed.TCPStore(
            rank.address, rank.port, is_master=False, timeout=_CONNECT, wait_for_workers=False
        )
        self._store: Any = distributed.PrefixStore(f"pytest-energy/{rank.run_id}/{rank.restart}", store)

    def put(self, key: str, text: str) -> None:
        try:
            self._store.set(key, text)
        except RuntimeError as error:
            raise _lost(error) from error

    def have(self, keys: Sequence[str]) -> bool:
        # Not by `wait`, whose connection is of no use after it has timed out.
        try:
            return bool(self._store.check(list(keys)))
        except RuntimeError as error:
            raise _lost(error) from error

    def read(self, key: str) -> str | None:
        if not self.have([key]):
            return None
        try:
            return bytes(self._store.get(key)).decode("utf-8", "replace")
        except RuntimeError as error:
            raise _lost(error) from error

    def remove(self, key: str) -> None:
        try:
            self._store.delete_key(key)
        except RuntimeError as error:
            raise _lost(error) from error


class Siblings:
    """The processes of the ranks, as far as they are on this node.

    Args:
        store: Shared by all ranks.
        rank: Of this process.
        table: Of this machine's processes.
    """

    def __init__(self, store: Store, rank: Rank, table: ProcessTable) -> None:
        self._store, self._rank, self._table = store, rank, table
        self._known: dict[int, _OwnProcess] = {}

    def announce(self) -> None:
        """Have the others know this process."""
        own = self._table.process(self._table.own_pid())
        if own is not None:
            process = _OwnProcess(pid=own.pid, start_ticks=own.start_ticks)
            self._store.put(_process_key(self._rank.rank), json.dumps(encode(process)))

    def why_ended(self, rank: int) -> str | None:
        """Why the process of *rank* has surely ended, or `None`."""
        if self._rank.node_of(rank) != self._rank.node or (known := self._process(rank)) is None:
            return None
        now = self._table.process(known.pid)
        if now is not None and now.start_ticks == known.start_ticks and now.state not in _ENDED:
            return None
        return f"its process {known.pid} is gone"

    def pids(self) -> tuple[int, ...]:
        """Of the other ranks on this node, as far as they are known."""
        return tuple(pid for one, pid in self.pids_of(self._rank.node).items() if one != self._rank.rank)

    def pids_of(self, node: int) -> dict[int, int]:
        """Of the ranks on *node*, by rank, as far as they are known."""
        ranks = [one for one in range(self._rank.world_size) if self._rank.node_of(one) == node]
        known = {one: self._process(one) for one in ranks}
        return {one: process.pid for one, process in known.items() if process is not None}

    def _process(self, rank: int) -> "_OwnProcess | None":
        if rank not in self._known and (text := self._store.read(_process_key(rank))) is not None:
            self._known[rank] = decode(parse(text, "a process"), _OwnProcess, "a process")
        return self._known.get(rank)


class _OwnProcess(Document, frozen=True, kw_only=True):
    pid: int
    start_ticks: int


_ENDED = {"Z", "X"}  # ended, and its parent hasn't asked yet


def _process_key(rank: int) -> str:
    return f"process/{rank}"


def _lost(error: Exception) -> RankLost:
    return RankLost(f"torchrun's store has ended: {str(error).partition(chr(10))[0]}")
