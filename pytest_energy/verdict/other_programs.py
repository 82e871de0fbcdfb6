"""What of a record's joules other programs may have used. Pure.

Rule 1: a counter of the processor or its memory counts the whole machine. Of these joules other programs used
    at most the share that they had of the busy CPU time.
Rule 2: a server that another user started may be the work: the joules of a load of requests are its own.
"""

import math
from statistics import fmean

from pytest_energy.model import Domain, Provenance, Reading, Record

LATENCY = "e2e_p50_s"
"""A metric of loads of requests alone."""

NOTED_SHARE = (
    0.1  # as in the note on a reading (`meter.quality`): less is the work of any machine's own system
)
_MOST_SHARE = 0.99  # more would leave nothing to compare

_COUNTING = frozenset({Domain.CPU, Domain.DRAM})


def others_share(record: Record, *, is_net: bool = False) -> float:
    """Share of the joules that other programs used at most; 0 if that is not known.

    Of net joules if *is_net*: what others used is above power at rest.
    """
    rounds, energy_j = record.usable_rounds, record.net_energy_j if is_net else record.energy_j
    if record.provenance is not Provenance.MEASURED or LATENCY in record.metrics or not rounds:
        return 0.0
    if energy_j is None or energy_j <= 0:
        return 0.0
    return min(_MOST_SHARE, fmean(map(_others_j, rounds)) / energy_j)


def _others_j(reading: Reading) -> float:
    usage = reading.usage
    if usage is None or usage.other_cpu_share is None or not usage.cpu_utilisation_share:
        return 0.0
    share = min(1.0, usage.other_cpu_share / usage.cpu_utilisation_share)
    channels = reading.channels.items()
    return share * math.fsum(joules for name, joules in channels if name.partition(":")[0] in _COUNTING)


def own_ratio(share: float, usual_share: float) -> float:
    """How the rest of the joules compares, if others used *share* of them now and *usual_share* before.

    >>> own_ratio(0.5, 0.0), own_ratio(0.3, 0.3)
    (0.5, 1.0)
    """
    return (1 - min(_MOST_SHARE, share)) / (1 - min(_MOST_SHARE, usual_share))
