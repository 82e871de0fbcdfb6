"""Pages of what can be set: pytest's options, the marker, the command.

They come from the tables of options and from the parsers' own tables, so that equal code gives equal pages,
whatever the version of Python.
"""  # noqa: INP001  # beside the pages that it makes

import argparse
import re
from collections.abc import Iterator
from typing import Any

from docs.markdown import code, page, table, typed
from pytest_energy import cli
from pytest_energy.cli.words import FORMER
from pytest_energy.plugin.mark import ARGUMENTS, FORMER_NAMES
from pytest_energy.plugin.options import OPTIONS, Option, flag_of, ini_of


def options_page() -> str:
    return page(
        "Options of pytest",
        "pytest_energy/plugin/options.py",
        "Each option has a twin in pytest's configuration file, `energy_...`, whose value is the default; "
        "the command line wins. Paths on the command line start at the working folder, those in the file at "
        "the file's.",
        "In `pyproject.toml`:",
        '```toml\n[tool.pytest.ini_options]\nenergy_tolerance = "0.1"\nenergy_report = "true"\n```',
        *map(option_entry, OPTIONS),
    )


def option_entry(option: Option) -> str:
    """A heading of its own: the site's search and contents find it, and no screen is too narrow for it."""
    flag = option.flag + (f"={option.metavar}" if option.metavar else "")
    default = f", default {code(option.default)}" if option.default else ", no default"
    whole = f" {code(option.flag + '=full')}: {sentence(option.whole)}" if option.whole else ""
    meaning = typed(sentence(option.help) + whole)
    return f"## {code(flag)}\n\n{meaning}\n\nIn the file: {code(option.ini)}{default}."


def sentence(text: str) -> str:
    """*text* with a capital and a full stop; the name of a value at its front stays as one types it."""
    is_value = re.match(r"[\w-]+[:,]", text) is not None
    return f"{text[:1] if is_value else text[:1].upper()}{text[1:].rstrip('.')}."


def marker_page() -> str:
    rows = (
        (code(f"{name}="), wanted(argument.metadata["check"]), str(argument.metadata["help"]))
        for name, argument in ARGUMENTS.items()
    )
    return page(
        "The marker",
        "pytest_energy/plugin/mark.py",
        '```python\n@pytest.mark.energy(budget_j="2 J", tolerance="10%")\ndef test_search(energy): ...\n```',
        table(("argument", "is", "meaning"), rows),
        "An argument that is unknown, positional or out of range stops the run at collection: a misspelt "
        "limit must not switch the limit off. Of a function's, its class's and its module's marker the "
        "nearest wins, argument by argument. A marked test without the fixture `energy` is measured as a "
        "whole, one round a run.",
    )


def wanted(check: Any) -> str:
    """What *check* asks for, in the words in which it refuses."""
    try:
        check(object())
    except ValueError as error:
        return str(error).removeprefix("must be ").partition(". Got ")[0]
    raise TypeError(f"{check} takes anything, so nothing can be said of it")


def names_page() -> str:
    """Where each option can be set, of those that can be set in several places; and former names."""
    return page(
        "Names",
        "the tables of options, arguments and commands",
        "An option has one name, wherever it can be set. Its value may have a unit: `5%`, "
        "`2 J`, `500 mJ`, `3 Wh`, `5 s`, `2 min`, `65 W`. A bare number is in joules, seconds or watts, and "
        "a bare share is a fraction: 0.05 is 5 %.",
        table(("pytest", "in the file", "marker", "pytest-energy"), twins()),
        "`pytest-energy accept` does with a stored run what `--energy-baseline=add` does with a new one, and "
        "`accept --replace` what `--energy-baseline=replace` does.",
        "## Former names\n\nThey still work. Pytest warns of each (`EnergyDeprecationWarning`), and "
        "`pytest-energy` writes the new name to the screen.",
        table(("where", "former name", "name"), former_names()),
    )


def twins() -> Iterator[tuple[str, ...]]:
    parser = cli.parser()
    by_command = {
        path.removeprefix("pytest-energy "): {*options_of(found)}
        for path, found in commands(parser, "pytest-energy")
    }
    for option in OPTIONS:
        argument = option.name.replace("-", "_")
        named = [command for command, words in by_command.items() if f"--{option.name}" in words]
        if argument in ARGUMENTS or named:
            yield (
                code(option.flag),
                code(option.ini),
                code(f"{argument}=") if argument in ARGUMENTS else "",
                f"{code(f'--{option.name}')} of {', '.join(named)}" if named else "",
            )


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:  # noqa: SLF001
        yield from action.option_strings


def former_names() -> Iterator[tuple[str, ...]]:
    for option in OPTIONS:
        if option.former:
            yield "pytest", code(flag_of(option.former)), code(option.flag)
            yield "pytest's file", code(ini_of(option.former)), code(option.ini)
    for former, name in FORMER_NAMES.items():
        yield "marker", code(f"{former}="), code(f"{name}=")
    for word in FORMER:
        yield f"pytest-energy {word.command}", code(word.old), code(word.new)


# ---- the command ----


def command_page() -> str:
    parser = cli.parser()
    return page(
        "The command pytest-energy",
        "pytest_energy/cli",
        str(parser.description),
        *(command(path, found) for path, found in commands(parser, "pytest-energy")),
    )


def commands(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, in the order of the help."""
    for action in parser._actions:  # noqa: SLF001  # argparse has no other list of its arguments
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, found in action.choices.items():
                below = list(commands(found, f"{path} {name}"))
                yield from below or [(f"{path} {name}", found)]


def command(path: str, parser: argparse.ArgumentParser) -> str:
    actions = [
        action
        for action in parser._actions  # noqa: SLF001
        if not isinstance(action, argparse._HelpAction)  # noqa: SLF001
    ]
    entries = "\n".join(f"- {code(argument(action))}: {typed(meaning(action))}" for action in actions)
    listed = [entries] if entries else []
    return "\n\n".join([f"## `{path}`", typed(str(parser.description)), *listed, typed(str(parser.epilog))])


def argument(action: argparse.Action) -> str:
    shown = str(action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""))
    if not action.option_strings:
        return shown or action.dest
    return f"{action.option_strings[-1]} {shown}".strip()


def meaning(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default}
