"""Graph breaks and compilations by torch.compile during a call."""

import sys
from collections import Counter

from pytest_energy.counts import CountEntry, Kind

_DYNAMO = "torch._dynamo.utils"


def graph_counters() -> Counter[str]:
    """Since the process began; empty if nothing was compiled yet."""
    counters = getattr(sys.modules.get(_DYNAMO), "counters", None)
    if counters is None:
        return Counter()
    breaks = sum(counters.get("graph_break", {}).values())
    graphs = counters.get("stats", {}).get("unique_graphs", 0)
    return Counter({"graph break": breaks, "compilation": graphs})


def graph_entries(before: Counter[str], after: Counter[str]) -> list[CountEntry]:
    risen = ((name, count - before[name]) for name, count in after.items())
    return [CountEntry(kind=Kind.GRAPH, name=name, count=count) for name, count in risen if count > 0]
