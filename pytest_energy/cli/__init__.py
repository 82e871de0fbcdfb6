"""The command `pytest-energy`: what this machine can measure, past runs, and the stored baselines.

Rule 1: a command imports what it needs when it runs; asking for help costs nothing.
Rule 2: nothing is written that was not asked for, and what was written is said.
Rule 3: the exit status is 2 for a file or a value that can't be used, whatever the command.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from pytest_energy.ab import command as ab
from pytest_energy.cli import accepting, folder, machine, plotting, runs, schema
from pytest_energy.errors import EnergyError

_GROUPS = (machine, ab, runs, plotting, accepting, folder, schema)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (those of the process if not given).

    Returns:
        The command's own status (each help says which), 1 where the reader of the output has gone, or 2 for
        a file or a value that can't be used.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough; what is left in the buffer goes nowhere, instead of failing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EnergyError as error:
        sys.stdout.flush()  # what was done before it stands above it
        sys.stderr.write(f"pytest-energy: {error}\n")
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-energy",
        description="What measures energy on this machine, the energy of past runs, and what runs are held "
        "against.",
        epilog="Measuring is pytest's work: see `pytest --help` for its options --energy-...",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('pytest-energy')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for group in _GROUPS:
        group.register(commands)
    return parser
