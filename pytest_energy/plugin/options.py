"""Every option of the plugin: one table, from which the command line and the ini file are made.

Rule 1: a flag on the command line wins over its ini twin; the ini value holds the default.
Rule 2: this module is imported in every run of pytest, so it understands nothing: `settings` does.
"""

from typing import Literal, NamedTuple

import pytest


class Option(NamedTuple):
    """One option: `--energy-NAME` and its ini twin `energy_NAME`."""

    name: str
    default: str
    help: str
    metavar: str = ""
    kind: Literal["value", "flag", "list"] = "value"

    @property
    def flag(self) -> str:
        return "--energy-" + self.name

    @property
    def ini(self) -> str:
        return "energy_" + self.name.replace("-", "_")

    @property
    def ini_default(self) -> str | list[str]:
        return [] if self.kind == "list" else self.default


OPTIONS = (
    Option(name="report", default="false", kind="flag", help="show the energy summary at the end of the run"),
    Option(
        name="out",
        default="",
        kind="list",
        metavar="PATH",
        help="write the run to PATH: .json, .csv, .rounds.csv, .md or .html by its suffix (repeatable)",
    ),
    Option(
        name="baseline",
        default="check",
        metavar="check|add|replace|off",
        help="check: compare with the stored baselines (default); add, replace: after that, put this run "
        "beside their sessions or in their place; off: don't look at them",
    ),
    Option(
        name="baselines",
        default="baselines",
        metavar="DIR",
        help="folder of the baselines (default: baselines)",
    ),
    Option(
        name="sensors",
        default="auto",
        metavar="auto|NAME,...|replay:FILE",
        help="what to measure with; auto (default): all that measures here, else the estimate",
    ),
    Option(
        name="record",
        default="",
        metavar="FILE",
        help="write what was measured, with the counters' ticks, to FILE, for --energy-sensors=replay:FILE",
    ),
    Option(
        name="tolerance",
        default="0.05",
        metavar="SHARE",
        help="rise over the baseline that is still accepted, as a share (default: 0.05)",
    ),
    Option(
        name="alpha",
        default="0.05",
        metavar="SHARE",
        help="accepted chance of a false alarm at the edge of the tolerance, one-sided (default: 0.05)",
    ),
    Option(
        name="rounds",
        default="auto",
        metavar="auto|N",
        help="rounds a test; auto (default): 5 to 20, until the mean is known well enough",
    ),
    Option(
        name="max-time",
        default="60",
        metavar="S",
        help="seconds after which a test takes no more rounds (default: 60)",
    ),
    Option(
        name="strict",
        default="false",
        kind="flag",
        help="also fail tests that are inconclusive, no-baseline, not-comparable, saturated, void or "
        "unmeasured",
    ),
    Option(
        name="estimates",
        default="report",
        metavar="report|gate",
        help="estimated joules are only shown (report, the default) or also judged (gate)",
    ),
    Option(
        name="benchmark",
        default="false",
        kind="flag",
        help="also measure each test that uses the fixture benchmark of pytest-benchmark or pytest-codspeed",
    ),
    Option(
        name="macs",
        default="flop-counter",
        metavar="flop-counter|thop",
        help="what counts the MACs of a model: torch's flop counter (default), or thop, which also counts "
        "normalisation and pooling; both are shown where they differ by more than a fifth",
    ),
    Option(
        name="cpu-tdp-w",
        default="",
        metavar="W",
        help="thermal design power of the CPU, for the estimate (default: from a table of CPU models)",
    ),
    Option(
        name="baseline-sessions",
        default="10",
        metavar="N",
        help="sessions that a baseline keeps (default: 10)",
    ),
    Option(
        name="void-retries",
        default="2",
        metavar="N",
        help="how often a round whose reading is void is repeated before the test is void (default: 2)",
    ),
    Option(
        name="off", default="false", kind="flag", help="measure nothing and judge nothing; tests run once"
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Register every option of the table with pytest."""
    group = parser.getgroup("energy", "energy of the tests, measured and judged")
    for option in OPTIONS:
        if option.kind == "flag":
            group.addoption(option.flag, action="store_const", const="true", default=None, help=option.help)
        elif option.kind == "list":
            group.addoption(
                option.flag, action="append", default=None, metavar=option.metavar, help=option.help
            )
        else:
            group.addoption(option.flag, default=None, metavar=option.metavar, help=option.help)
        ini_type: Literal["linelist", "string"] = "linelist" if option.kind == "list" else "string"
        parser.addini(
            option.ini, f"{option.help}; see {option.flag}", type=ini_type, default=option.ini_default
        )


def is_any_set(config: pytest.Config) -> bool:
    """Whether any option was set, on the command line or in the ini file."""
    return any(
        config.getoption(option.flag) is not None or config.getini(option.ini) != option.ini_default
        for option in OPTIONS
    )
