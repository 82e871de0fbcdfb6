"""The command `pytest-energy`: what this machine can measure, past runs, and the stored baselines.

Rule 1: of the commands, the one that is asked for is imported; what is heavy it imports when it runs.
Rule 2: nothing is written that was not asked for, and what was written is reported.
Rule 3: the exit status is 2 for a file or a value that can't be used, whatever the command.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper

from pytest_energy.cli.words import Parser, current
from pytest_energy.errors import EnergyError

# Each is a module of this package.
_COMMANDS = (
    "doctor",
    "agent",
    "ab",
    "bisect",
    "show",
    "export",
    "comment",
    "compare",
    "plot",
    "best",
    "judge",
    "ledger",
    "accept",
    "calibrate",
    "history",
    "study",
    "wall",
    "baselines",
    "schema",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (those of the process if not given).

    Returns:
        The command's own status (each help says which), 1 where the reader of the output has gone, or 2 for
        a file or a value that can't be used.
    """
    options = parsed(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that a terminal of ASCII can't show
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader needs no more; what is left in the buffer goes nowhere, instead of failing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EnergyError as error:
        sys.stdout.flush()  # what was done before it stands above it
        sys.stderr.write(f"pytest-energy: {error}\n")
        return 2
    return status


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options that *words* give; those after `--` are pytest's, wherever the others are.

    Raises:
        SystemExit: They can't be understood, or ask for help.
    """
    takes_pytest = bool({"ab", "bisect"} & {*words[:1]})
    cut = words.index("--") if takes_pytest and "--" in words else len(words)
    pytest_arguments = list(words[cut + 1 :])
    return parser(words).parse_args(
        current(words[:cut]), argparse.Namespace(pytest_arguments=pytest_arguments)
    )


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of the command that *words* begin with, or of all where they begin with none."""
    top = Parser(
        prog="pytest-energy",
        description="Sensors of this machine, stored runs, and the baselines that runs are compared with.",
        epilog="pytest measures: see `pytest --help` for its options --energy-...",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in [word for word in words[:1] if word in _COMMANDS] or _COMMANDS:
        import_module(f"{__name__}.{name}").register(commands)
    return top


def _version() -> str:
    try:
        return version("pytest-energy")
    except PackageNotFoundError:  # a copy of the source that is on the path
        return "(not installed)"
