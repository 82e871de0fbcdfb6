"""All that a run with energy tests imports, at once: while no test's patches are in force.

From here on nothing is imported to measure, judge and report but the libraries that the work of a test needs.
"""

import psutil
import tabulate
import wcwidth

from pytest_energy.plugin import (
    benchmarks,
    following,
    item_life,
    progress,
    ranks,
    reports,
    retraction,
    run,
    summary,
    termination,
    trials,
    waiting,
    yardstick,
)

__all__ = [
    "benchmarks",
    "following",
    "item_life",
    "progress",
    "psutil",
    "ranks",
    "reports",
    "retraction",
    "run",
    "summary",
    "tabulate",
    "termination",
    "trials",
    "waiting",
    "wcwidth",
    "yardstick",
]
