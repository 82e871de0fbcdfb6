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
        description="Run the energy tests of REF and of the working tree with their rounds in turns (A B, "
        "B A, ...), so that drift cancels, in blocks of fresh processes. Each test is judged "
        "by its pairs of rounds. No baseline is needed. REF is checked out to a temporary "
        "worktree, which is removed at the end; it has only the files that git has of REF. The "
        "working tree is measured as it is.",
        epilog="Exit status: 0; 1 if energy rose, or if a test failed or is on one side only; 2 if nothing "
        "can be compared: no such REF, or a side that pytest can't collect.",
    )
    ab.usage = "%(prog)s [OPTIONS] REF [-- PYTEST-ARGUMENT ...]"
    ab.add_argument(
        "ref", metavar="REF", help="branch, tag or commit to compare with; . for the working tree itself"
    )
    _add_variables(ab)
    _add_rule(ab)
    add_out(ab)
    ab.add_argument(
        "--strict",
        action="store_true",
        help="also fail tests without a clear verdict: inconclusive, void, ...",
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
        help=f"largest accepted rise (default: the test's marker, else {DEFAULT_TOLERANCE})",
    )
    ab.add_argument(
        "--basis",
        choices=(GROSS, COUNTS),
        default=GROSS,
        help="what is compared: gross joules, in rounds (default), or counts of what one call does. Counts "
        "are exact and need no rounds and no sensor. They fail if they rise by more than --tolerance, "
        "else the marker's, else 0",
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
        help="pairs of rounds per test at most, over all blocks; fewer if they suffice "
        "(default: %(default)s)",
    )
    ab.add_argument(
        "--blocks",
        type=whole_number,
        default=BLOCK_COUNT,
        metavar="N",
        help="how often both sides start in fresh processes and set up all tests again: each process has "
        "its own level, which more pairs don't average out (default: %(default)s)",
    )
    ab.add_argument(
        "--max-time",
        type=time,
        metavar="TIME",
        help="time after which a test takes no more pairs, such as 2 min, over all blocks and without set-up "
        "and warm-up (default: the test's own time, for each side)",
    )
