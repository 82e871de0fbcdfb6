"""Several machines as one: nodes, ranks and channels, as facts that can be compared.

Rule 1: which node is which doesn't matter: a scheduler gives other hosts each time. Equal nodes are counted.
Rule 2: how many nodes, and how many ranks work on them, does matter: it is another machine.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_energy.model import Channel, Machine

KEY_LENGTH = 120
"""A machine's folder has its key for a name: `_NAME_LENGTH` of store.py, which cuts longer ones."""

_DIGEST_LENGTH = 8  # of a key that was cut: enough to separate the few machines of one project

NODES, RANKS = "nodes", "ranks"


def joined_machine(machines: Sequence[Machine]) -> Machine:
    """Several nodes as one machine; a single one is itself.

    Its key has the keys of its nodes, each with their number: `3-nodes_4x-h100-80gb-hbm3_xeon-8480_nvml`.

    >>> node = Machine(key="h100_nvml", fixed={"cpu_model": "Xeon"})
    >>> joined_machine([node, node]).key, dict(joined_machine([node, node]).fixed)
    ('2-nodes_h100_nvml', {'cpu_model': 'Xeon', 'nodes': '2x h100_nvml'})
    """
    if len(machines) == 1:
        return machines[0]
    keys = Counter(machine.key for machine in machines)
    listed = sorted(keys.items())
    parts = [f"{count}-node{'s' if count > 1 else ''}_{key}" for key, count in listed]
    nodes = ", ".join(f"{count}x {key}" for key, count in listed)
    return Machine(
        key=_bounded("_".join(parts)),
        fixed=_agreed([machine.fixed for machine in machines]) | {NODES: nodes},
        varying=_agreed([machine.varying for machine in machines]),
    )


def with_ranks(machine: Machine, ranks_by_node: Sequence[int]) -> Machine:
    """*machine* at which so many processes of one job work, by node.

    >>> with_ranks(Machine(key="4x-h100_nvml"), [4]).key
    '4x-h100_nvml_4-ranks'
    """
    count = sum(ranks_by_node)
    text = str(count) if len(ranks_by_node) == 1 else f"{count}: {_listed(map(str, ranks_by_node))}"
    key = _bounded(f"{machine.key}_{count}-rank{'s' if count > 1 else ''}")
    return replace(machine, key=key, fixed={**machine.fixed, RANKS: text})


def channels_text(names: Collection[str]) -> str:
    """The channels of a record, for a comparison; of several nodes by their number (rule 1).

    >>> channels_text(["gpu:1", "gpu:0"]), channels_text(["gpu:0", "gpu:0@b", "gpu:0@c"])
    ('gpu:0, gpu:1', '3x gpu:0')
    """
    counts = Counter(Channel.place_of(name)[0] for name in names)
    return _listed(counts.elements()) or "none"


def roles_text(roles: Mapping[str, str]) -> str:
    """How many channels of a kind have each role; empty without roles. Which device has it doesn't matter.

    >>> roles_text({"gpu:0": "prefill", "gpu:1": "decode", "gpu:2": "decode"})
    '2x decode gpu, prefill gpu'
    """
    return _listed(f"{role} {Channel.domain_of(name)}" for name, role in roles.items())


def _listed(texts: Iterable[str]) -> str:
    counts = Counter(texts)
    return ", ".join(f"{count}x {text}" if count > 1 else text for text, count in sorted(counts.items()))


def _agreed(facts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The nodes' facts; where they differ, all values with their numbers (rule 1)."""
    names = sorted({name for one in facts for name in one})
    values = {name: [one.get(name, "not recorded") for one in facts] for name in names}
    return {name: ones[0] if len(set(ones)) == 1 else _listed(ones) for name, ones in values.items()}


def _bounded(key: str) -> str:
    """*key*, or its beginning with a digest of all of it where it is too long for a folder's name."""
    if len(key) <= KEY_LENGTH:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{key[: KEY_LENGTH - _DIGEST_LENGTH - 1].rstrip('-_')}-{digest}"
