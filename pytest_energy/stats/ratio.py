"""A ratio from its logarithm: within what a document can hold."""

import math

LARGEST_LOG = 69.0
"""e^69 is just below 1e30, the largest number of a document; few rounds that differ bound a ratio by less."""


def ratio_of(log: float) -> float:
    """E to the *log*; as far from 1 as `LARGEST_LOG` says where it is farther, or infinite.

    >>> ratio_of(0.0), ratio_of(-1000.0) == 1 / ratio_of(math.inf)
    (1.0, True)
    """
    return math.exp(max(-LARGEST_LOG, min(LARGEST_LOG, log)))
