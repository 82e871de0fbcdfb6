"""`pytest-energy ab`: two revisions of the code measured in turns."""

import argparse

from pytest_energy.ab.command import run
from pytest_energy.ab.comparison import DEFAULT_TOLERANCE
from pytest_energy.basis import COUNTS, GROSS
from pytest_energy.cli.arguments import Commands, add_out, chance, share, time, variable, whole_number
from pytest_energy.stats.paired import BLOCK_COUNT, MOST_PAIR_COUNT


def register(commands: Commands) -> None:
    ab = commands.add_parser(
        "ab",
        help="compare the working tree with another revision, measured in turns",
        description="Run the energy tests of REF and of the working tree side by side, their rounds in turns "
        "(A B, B A, ...: what drifts with time cancels), in blocks of fresh processes, and judge each test "
        "by its pairs of rounds. Needs no baseline. REF is checked out to a temporary worktree, which is "
        "removed at the end; it holds what git knows of REF and nothing else. The working tree is measured "
        "as it is.",
        epilog="Exit status: 0, or 1 where energy has risen or a test is on one side only or failed, or 2 "
        "where there is nothing to compare: no such REF, a side that pytest can't collect.",
    )
    ab.usage = "%(prog)s [OPTIONS] REF [-- PYTEST-ARGUMENT ...]"
    ab.add_argument(
        "ref", metavar="REF", help="branch, tag or commit to compare with; . for the working tree itself"
    )
    _add_variables(ab)
    _add_rule(ab)
    add_out(ab)
    ab.add_argument(
        "--strict", action="store_true", help="also fail where nothing can be told: inconclusive, void, ..."
    )
    ab.set_defaults(run=run)


def _add_variables(ab: argparse.ArgumentParser) -> None:
    for option, side in (("--env", "the working tree"), ("--env-base", "REF")):
        ab.add_argument(
            option,
            type=variable,
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help=f"set a variable of the environment for {side} only (repeatable)",
        )


def _add_rule(ab: argparse.ArgumentParser) -> None:
    ab.add_argument(
        "--tolerance",
        type=share,
        metavar="SHARE",
        help=f"rise that is still accepted (default: what the test's marker says, else {DEFAULT_TOLERANCE})",
    )
    ab.add_argument(
        "--basis",
        choices=(GROSS, COUNTS),
        default=GROSS,
        help="what is compared: gross joules, in rounds (default), or counts of what one call does: exact, "
        "without rounds and without a sensor; a rise by more than --tolerance, else the marker's, else none, "
        "fails",
    )
    ab.add_argument(
        "--alpha",
        type=chance,
        default=0.05,
        metavar="SHARE",
        help="accepted chance of a false alarm at the edge of the tolerance (default: %(default)s)",
    )
    ab.add_argument(
        "--pairs",
        type=whole_number,
        default=MOST_PAIR_COUNT,
        metavar="N",
        help="pairs of rounds a test at the most, over all blocks; fewer if they tell enough "
        "(default: %(default)s)",
    )
    ab.add_argument(
        "--blocks",
        type=whole_number,
        default=BLOCK_COUNT,
        metavar="N",
        help="how often both sides are started anew and all tests set up again: a process has a level of its "
        "own, which no number of pairs averages away (default: %(default)s)",
    )
    ab.add_argument(
        "--max-time",
        type=time,
        metavar="TIME",
        help="time after which a test takes no more pairs, such as 2 min, over all blocks and without set-up "
        "and warm-up (default: the test's own time, for each side)",
    )
