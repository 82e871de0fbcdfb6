"""`pytest-energy bisect`: the first commit that raised the energy."""

import argparse
from pathlib import Path

from pytest_energy.ab.comparison import DEFAULT_TOLERANCE
from pytest_energy.basis import COUNTS, GROSS
from pytest_energy.bisect.command import run
from pytest_energy.cli.arguments import Commands, chance, share, time, whole_number
from pytest_energy.stats.paired import BLOCK_COUNT, MOST_PAIR_COUNT


def register(commands: Commands) -> None:
    bisect = commands.add_parser(
        "bisect",
        help="find the commit that raised the energy of a test",
        description="Find the first commit after GOOD, up to BAD, whose energy (or counts) rose. First BAD "
        "is compared with GOOD, as `pytest-energy ab` does it. Then each step halves the commits, as "
        "`git bisect` does: a commit is bad if it is past half of the rise. A commit that can't be measured "
        "is skipped. Each commit is checked out to a temporary worktree; your checkout doesn't change.",
        epilog="Exit status: 0 if one commit was found; 1 if no rise was detected, or if skipped commits "
        "hide which one it is; 2 if GOOD or BAD can't be used.",
    )
    bisect.usage = "%(prog)s [OPTIONS] GOOD [BAD] [-- PYTEST-ARGUMENT ...]"
    bisect.add_argument("good", metavar="GOOD", help="branch, tag or commit before the rise")
    bisect.add_argument(
        "bad", metavar="BAD", nargs="?", default="HEAD", help="one after the rise (default: %(default)s)"
    )
    bisect.add_argument(
        "--test",
        default="",
        metavar="ID",
        help="test to follow: its id or a part of it (default: the test that rose most clearly)",
    )
    _add_rule(bisect)
    _add_rounds(bisect)
    _add_trees(bisect)
    bisect.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="also write the result to PATH, .json or .md (repeatable)",
    )
    bisect.set_defaults(run=run)


def _add_rule(bisect: argparse.ArgumentParser) -> None:
    bisect.add_argument(
        "--basis",
        choices=(GROSS, COUNTS),
        default=GROSS,
        help="what is compared: joules, in rounds (default), or counts of what one call does: exact, in "
        "seconds per step, and without a sensor",
    )
    bisect.add_argument(
        "--tolerance",
        type=share,
        metavar="SHARE",
        help="rise from GOOD to BAD that is not searched for (default: what the test's marker accepts, else "
        f"{DEFAULT_TOLERANCE})",
    )
    bisect.add_argument(
        "--alpha",
        type=chance,
        default=0.05,
        metavar="SHARE",
        help="chance of a wrong commit, of all steps together (default: %(default)s)",
    )


def _add_rounds(bisect: argparse.ArgumentParser) -> None:
    bisect.add_argument(
        "--pairs",
        type=lambda text: whole_number(text, least=2),
        default=MOST_PAIR_COUNT,
        metavar="N",
        help="pairs of rounds per step at most, over all blocks (default: %(default)s); twice as many if "
        "they don't decide it",
    )
    bisect.add_argument(
        "--blocks",
        type=whole_number,
        default=BLOCK_COUNT,
        metavar="N",
        help="how often both commits' processes are started per step (default: %(default)s); twice as often "
        "if that doesn't decide it",
    )
    bisect.add_argument(
        "--max-time",
        type=time,
        metavar="TIME",
        help="time of pairs per step, such as 2 min, without set-up and warm-up "
        "(default: the test's own time, for each side)",
    )


def _add_trees(bisect: argparse.ArgumentParser) -> None:
    bisect.add_argument(
        "--first-parent", action="store_true", help="follow only the first parent of a merge: find the merge"
    )
    bisect.add_argument(
        "--copy",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="copy PATH from your working tree into each commit's, such as a test that is newer than GOOD "
        "(repeatable)",
    )
    bisect.add_argument(
        "--build",
        default="",
        metavar="COMMAND",
        help="shell command to run in each commit's worktree before it is measured; if it fails, the commit "
        "is skipped",
    )
