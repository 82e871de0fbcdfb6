"""The ranks of a job that torchrun has started."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.nodes.torchrun import JOINED, Rank, Siblings, TorchStore, rank_of
from pytest_energy.sensors.process_table import ProcessTable
from tests.fakes.rank_store import RankStore

ENVIRON = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "GROUP_RANK": "1",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RESTART_COUNT": "2",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
RANK = Rank(
    rank=5,
    world_size=8,
    local_rank=1,
    local_world_size=4,
    node=1,
    restart=2,
    address="10.0.0.1",
    port=29500,
    run_id="none",
    shares_store=True,
)


def test_a_rank_is_read_from_the_environment() -> None:
    """As torchrun sets it; four ranks on each of two nodes."""
    assert rank_of(ENVIRON) == RANK
    assert RANK.ranks_by_node == (4, 4)
    assert [RANK.node_of(rank) for rank in range(8)] == [0] * 4 + [1] * 4


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"RANK": "1", "WORLD_SIZE": "2"},
        {**ENVIRON, "WORLD_SIZE": "1", "RANK": "0"},
        {**ENVIRON, JOINED: "5"},
    ],
)
def test_without_torchrun_or_alone_there_is_no_rank(environ: dict[str, str]) -> None:
    """Variables of another launcher, a job of one process, and what a rank starts itself change nothing."""
    assert rank_of(environ) is None


@pytest.mark.parametrize("text", ["", "many", "-1"])
def test_a_variable_that_is_no_number_is_named(text: str) -> None:
    """What, the value, and what to do."""
    with pytest.raises(
        SettingsError, match=f"^MASTER_PORT must be a number, as torchrun sets it. Got '{text}'"
    ):
        rank_of({**ENVIRON, "MASTER_PORT": text})


def test_a_store_that_is_not_shared_is_refused() -> None:
    """torchrun can be told to keep its store; then the ranks can't find each other."""
    with pytest.raises(SettingsError, match="Unset TORCH_DISABLE_SHARE_RDZV_TCP_STORE"):
        TorchStore(replace(RANK, shares_store=False))


def test_a_process_that_has_ended_is_known_and_one_that_lives_is_not_lost() -> None:
    """The rank's own word tells which process it is; another node's processes can't be looked at."""
    store, table = RankStore(), ProcessTable()
    Siblings(store, replace(RANK, rank=4), table).announce()
    siblings = Siblings(store, RANK, table)
    assert siblings.pids() == (os.getpid(),)
    assert siblings.why_ended(4) is None
    assert siblings.why_ended(6) is None  # hasn't said which it is
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        own = table.process(child.pid)
        assert own is not None
        store.put("process/7", f'{{"pid": {child.pid}, "start_ticks": {own.start_ticks}}}')
        store.put("process/0", f'{{"pid": {child.pid}, "start_ticks": {own.start_ticks}}}')
        assert siblings.why_ended(7) is None
    assert siblings.why_ended(7) == f"its process {child.pid} is gone"
    assert siblings.why_ended(0) is None
