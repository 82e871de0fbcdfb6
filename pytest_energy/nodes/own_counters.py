"""Which counters are read for which node.

Rule 1: several nodes of one machine have the same counters. Each is read for the first of them alone: no
        joule counts twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_energy.model import Channel, Domain
from pytest_energy.remote.protocol import AgentDescription


def own_counters(descriptions: Mapping[str, AgentDescription]) -> dict[str, AgentDescription]:
    """What the agent of each node is asked for, by rule 1; without the nodes of which nothing is left.

    Args:
        descriptions: By node, in the order in which nodes have a right to a counter.
    """
    taken: set[tuple[str, ...]] = set()
    own = {}
    for node, description in descriptions.items():
        counters = {channel: _counter(description, channel) for channel in description.channels}
        kept = tuple(channel for channel, counter in counters.items() if counter not in taken)
        taken |= {*counters.values()}
        if kept or not counters:
            own[node] = _limited(description, kept)
    return own


def _counter(description: AgentDescription, channel: Channel) -> tuple[str, ...]:
    """What two channels have in common that read one counter.

    Nodes of one machine may number its GPUs differently, but know them by UUID.
    """
    place = "" if channel.domain is Domain.GPU else channel.name
    return (description.boot_id or description.host, channel.device, place)


def _limited(description: AgentDescription, channels: Sequence[Channel]) -> AgentDescription:
    names = {channel.name for channel in channels}
    statuses = (
        replace(status, channels=tuple(name for name in status.channels if name in names))
        for status in description.statuses
    )
    return replace(
        description,
        channels=tuple(channels),
        statuses=tuple(status for status in statuses if status.channels or status.absent_because),
    )
