"""The agent of a Ray node, as a meter reads it: each call is one call of its actor."""

from contextlib import suppress

from pytest_energy.nodes.ray_actor import NodePoll
from pytest_energy.nodes.ray_cluster import RemoteActor
from pytest_energy.remote.protocol import AgentDescription, AgentLost, Cursor, Poll, Who

_POLL_LIMIT_S = 5.0
"""A call takes 1 ms. After so long without an answer the ticks of the first are nearly forgotten there."""


class RaySource:
    """See `AgentSource`.

    Args:
        actor: Of the node.
        description: What the agent said of itself when it was started.
    """

    def __init__(self, actor: RemoteActor, description: AgentDescription) -> None:
        self._actor, self._description = actor, description
        self._own_pids: frozenset[int] = frozenset()

    def description(self) -> AgentDescription:
        return self._description

    def poll(self, cursor: Cursor, who: Who) -> Poll:
        answer: NodePoll = self._actor.ask("poll", cursor, who, limit_s=_POLL_LIMIT_S)
        self._own_pids = answer.own_pids
        return answer.poll

    def is_kin(self, pid: int) -> bool:
        """Whether the process *pid* of the node is the cluster's or the test's, at the last poll."""
        return pid in self._own_pids

    def release(self, who: Who) -> None:
        with suppress(AgentLost):
            self._actor.ask("release", who, limit_s=_POLL_LIMIT_S)

    def close(self) -> None:
        """Nothing is held open here; the actor serves other tests."""
