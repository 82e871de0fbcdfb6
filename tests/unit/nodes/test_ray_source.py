"""An actor as the source of a node's ticks."""

import pytest

from pytest_energy.nodes.ray_actor import NodePoll
from pytest_energy.nodes.ray_source import RaySource
from pytest_energy.remote.protocol import AgentLost, Cursor, HostReport, Poll, Who
from tests.fakes.ray_cluster import FakeActor, channel, description

WHO = Who(run_id="one", host="client", user="ada", pid=7)
POLL = Poll(
    agent_id="one",
    asked_s=1.0,
    time_s=1.0,
    cursor=Cursor(),
    channels={},
    host=HostReport(cpu_busy_s=0.0, cpu_total_s=0.0),
)


def source_of(*, lost_because: str | None = None) -> RaySource:
    described = description(channel("gpu:0", "GPU-1"))
    answers = {"poll": NodePoll(poll=POLL, own_pids=frozenset({7})), "release": None}
    return RaySource(FakeActor(described, lost_because, answers=answers), described)


def test_an_answer_tells_which_processes_are_the_clusters() -> None:
    """Before the first answer none is known to be."""
    source = source_of()
    assert not source.is_kin(7)
    assert source.poll(Cursor(), WHO) is POLL
    assert (source.is_kin(7), source.is_kin(8)) == (True, False)


def test_a_lost_actor_is_a_lost_agent() -> None:
    """A window over it is void."""
    with pytest.raises(AgentLost, match="it was killed"):
        source_of(lost_because="it was killed").poll(Cursor(), WHO)


def test_a_lost_actor_needs_no_release() -> None:
    """It finds out by itself, or is no more."""
    source = source_of(lost_because="it was killed")
    source.release(WHO)
    source.close()
    assert source.description().agent_id == "one"
