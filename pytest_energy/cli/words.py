"""The command-line parser: suggestions for wrong words, and names that were renamed.

Rule 1: a former name does what it did, and a line on the screen names the new one.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple, NoReturn

from pytest_energy.spelling import did_you_mean

_WRONG_CHOICE = re.compile(r"invalid choice: '(.*?)' \(")
_WRONG_OPTION = re.compile(r"unrecognized arguments: (-[^\s=]*)")


class Former(NamedTuple):
    """A word of a command that has a new form; `--name=value` also matches two words."""

    command: str
    old: str
    new: str


FORMER = (
    Former("ab", "--basis=joules", "--basis=gross"),
    Former("accept", "--estimates", "--estimates=gate"),
    Former("compare", "--estimates", "--estimates=gate"),
    Former("judge", "--estimates", "--estimates=gate"),
    Former("schema", "session", "run"),
)


class Parser(argparse.ArgumentParser):
    """Ends with status 2 and a sentence that names the error and a suggestion."""

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith((".", "?")) else "."
        super().error(f"{message}{end}{self._meant(message)}")

    def _meant(self, message: str) -> str:
        if wrong := _WRONG_CHOICE.search(message):
            return did_you_mean(wrong[1], (word for one in self._actions for word in one.choices or ()))
        if wrong := _WRONG_OPTION.search(message):
            name = wrong[1].replace("--energy-", "--", 1)  # as pytest calls it
            return did_you_mean(name, {*_options(self)})
        return ""


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Options of *parser* and of the commands that it knows."""
    for action in parser._actions:  # noqa: SLF001  # argparse has no other list of its arguments
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _options(command)


def current(words: Sequence[str]) -> list[str]:
    """*words* with the new form of each that has one; a line on the screen names it."""
    renamed, left = list(words[:1]), list(words[1:])
    new_forms = {one.old: one.new for one in FORMER if [one.command] == renamed}
    while left:
        count, form = next(
            (
                (count, new_forms[old])
                for count in (2, 1)
                if (old := "=".join(left[:count])) in new_forms and not _is_new(left, new_forms[old])
            ),
            (1, left[0]),
        )
        if form != left[0]:
            sys.stderr.write(f"pytest-energy: {' '.join(left[:count])} is now {form}\n")
        renamed, left = [*renamed, form], left[count:]
    return renamed


def _is_new(words: Sequence[str], new: str) -> bool:
    """Whether *words* begin with the new form, in two words, whatever its value."""
    name, _, _ = new.partition("=")
    return words[:1] == [name] and words[1:2] in (["gate"], ["report"])
