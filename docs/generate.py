"""Writes the pages of docs/reference, each from the code that it describes.

    python docs/generate.py

Rule 1: nothing on these pages is written by hand; a text that reads badly is mended in the code.
Rule 2: equal code gives equal pages, whatever the version of Python: signatures are read from the source, and
help texts from the parsers' own tables.
"""  # noqa: INP001  # a script beside its pages

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: the folder above `docs` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[1]))

import pytest_energy
from docs.source_text import (
    PACKAGE,
    classes,
    docs_of,
    first_line,
    functions,
    part,
    public,
    public_and_init,
    signature,
)
from pytest_energy import cli
from pytest_energy.cli.words import FORMER
from pytest_energy.metrics.paper_rho import PAPER_RHO
from pytest_energy.metrics.table import METRICS
from pytest_energy.plugin.mark import ARGUMENTS, FORMER_NAMES
from pytest_energy.plugin.options import OPTIONS, Option, flag_of, ini_of
from pytest_energy.report import schema

DOCS = Path(__file__).parent
FOLDER = DOCS / "reference"

MADE = "<!-- Made by docs/generate.py from {source}; don't edit. -->"


def page(title: str, made_from: str, *parts: str) -> str:
    return (
        "\n\n".join([f"# {title}", MADE.format(source=made_from), *(part.strip("\n") for part in parts)])
        + "\n"
    )


def table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def typed(text: str) -> str:
    """*text* with the options in it as code."""
    return re.sub(r"(?<![`\w-])(--[a-z][\w-]*(?:=[\w:.-]*\w)?)(?!`)", r"`\1`", text)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


# ---- pytest's side ----


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


# ---- what is in the source ----

# Those that a test calls, in the order in which one learns them.
METHODS = ("measure", "window", "roles", "command", "record", "model", "requests", "layers", "operators")


def fixture_methods() -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """The methods of the fixture by name, those that it inherits too."""
    owners = classes("plugin/fixture.py")["Energy"], classes("plugin/description.py")["Describing"]
    return {node.name: node for owner in owners for node in public(owner)}


def fixture_page() -> str:
    window = classes("plugin/windows.py")["Window"]
    result = classes("command/__init__.py")["CommandResult"]
    methods = {name: part(node, "energy.") for name, node in fixture_methods().items()}
    return page(
        "The fixture",
        "pytest_energy/plugin/fixture.py",
        "A test that takes the fixture `energy` is an energy test, marked or not.",
        "Annotate it with `Energy`: type checkers and editors then know its methods, and what `measure` "
        "returns has the type that the measured function returns.",
        "```python\nfrom pytest_energy import Energy\n\n\n"
        "def test_sort(energy: Energy) -> None:\n"
        "    ordered: list[int] = energy.measure(sorted, [3, 1, 2])\n```",
        *(methods[name] for name in METHODS),
        f"## `Window`\n\nA window of a test, as `energy.window` returns it.\n\n{docs_of(window)}",
        f"## `CommandResult`\n\nThe result of `energy.command`.\n\n{docs_of(result)}",
    )


def hooks_page() -> str:
    hooks = (part(node) for node in functions("plugin/hookspecs.py").values())
    return page(
        "Hooks",
        "pytest_energy/plugin/hookspecs.py",
        "For a `conftest.py` or a plugin of your own; [sensors.md](../sensors.md) has a whole one.",
        *hooks,
    )


def api_page() -> str:
    """Every public name, from the package's own list of them."""
    return page(
        "Public names",
        "pytest_energy/__init__.py",
        "`from pytest_energy import Energy, Window, load`: these names stay, and a change is noted in the "
        "changelog. Every module below `pytest_energy` is private. The options, the marker, the command line "
        "and the JSON are public too; each has its own page.",
        *(
            public_name(file_of(module, name), name)
            for module, names in pytest_energy._MODULES.items()  # noqa: SLF001
            for name in names
        ),
    )


def file_of(module: str, name: str) -> str:
    """The file that defines the public *name* of *module*; a package gives out names of its files."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    if not path.is_dir():
        return str(path.with_suffix(".py").relative_to(PACKAGE))
    files = sorted(path.glob("*.py"), key=lambda file: file.name != "__init__.py")
    defining = (
        file for file in files if re.search(rf"^(class|def) {name}\b", file.read_text(), re.MULTILINE)
    )
    return str(next(defining).relative_to(PACKAGE))


def public_name(path: str, name: str) -> str:
    if name in functions(path):
        return part(functions(path)[name])
    node = classes(path)[name]
    methods = [
        one
        for one in (fixture_methods().values() if name == "Energy" else public(node))
        if not any(isinstance(mark, ast.Name) and mark.id == "property" for mark in one.decorator_list)
    ]
    listed = "\n".join(f"- `{signature(one)}`: {first_line(one)}" for one in methods)
    return value(path, name, level="##") + (f"\n\nMethods:\n\n{listed}" if listed else "")


ENGINES = (
    ("serving/engines/vllm_engine.py", "VllmEngine"),
    ("serving/engines/openai_endpoint.py", "OpenAiEndpoint"),
    ("serving/engines/transformers_engine.py", "TransformersEngine"),
)
PROMPTS = ("random_tokens", "drawn_lengths", "prompt_file")


def serving_page() -> str:
    engines = (engine(path, name) for path, name in ENGINES)
    prompts = functions("serving/prompts.py")
    values = (
        ("serving/slo.py", "Slo"),
        ("serving/engines/protocol.py", "Stop"),
        ("serving/prompts.py", "PromptSet"),
        ("serving/load_result.py", "LoadResult"),
        ("serving/arrivals.py", "Schedule"),
    )
    policies = (
        ("serving/policies/changing_load.py", "ChangingLoad"),
        ("serving/policies/made.py", "FixedBatch"),
        ("serving/policies/made.py", "AdaptiveBatch"),
        ("serving/policies/made.py", "Cascade"),
        ("serving/policies/result.py", "PolicyResult"),
        ("serving/policies/result.py", "PolicySide"),
    )
    return page(
        "Request loads",
        "pytest_energy/serving",
        "How they are used: [an LLM server](../how-to/llm-server.md). The load itself is "
        "[`energy.requests`](fixture.md).",
        *engines,
        "## Prompts\n\nIn `pytest_energy.serving`.",
        *(part(prompts[name], level="###") for name in PROMPTS),
        "## Values\n\nIn `pytest_energy.serving`.",
        *(value(path, name) for path, name in values),
        "## Policies\n\nIn `pytest_energy`. How they are used: [policies](../policies.md).",
        *(value(path, name) for path, name in policies),
    )


def engine(path: str, name: str) -> str:
    node = classes(path)[name]
    made = next(one for one in public_and_init(node) if one.name == "__init__")
    call = signature(made).replace("__init__", name, 1).removesuffix(" -> None")
    module = "pytest_energy." + path.removesuffix(".py").replace("/", ".")
    return f"## `{name}`\n\nIn `{module}`.\n\n```python\n{call}\n```\n\n{docs_of(node)}"


def value(path: str, name: str, level: str = "###") -> str:
    """A frozen value: its attributes, and what is worked out of them."""
    node = classes(path)[name]
    properties = [
        (one.name, first_line(one))
        for one in public(node)
        if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in one.decorator_list)
    ]
    lines = "\n".join(f"- `{name}`: {meaning}" if meaning else f"- `{name}`" for name, meaning in properties)
    more = f"\n\nWorked out of them:\n\n{lines}" if properties else ""
    return f"{level} `{name}`\n\n{docs_of(node)}{more}"


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


# ---- tables of values ----


def metrics_page() -> str:
    rows = (
        (code(name), metric.unit, metric.formula, metric.meaning, metric.source)
        for name, metric in METRICS.items()
    )
    ranked = ", ".join(code(name) for name, metric in METRICS.items() if metric.is_ranked)
    return page(
        "Metrics",
        "pytest_energy/metrics/table.py",
        "The metrics of a record, under `metrics` in the JSON. A metric that can't be computed "
        "is `null`, with its reason under `absent`.",
        table(("metric", "unit", "formula", "meaning", "source"), rows),
        f"Ranked with joules a sample, over the models of a group: {ranked}, and your own.",
        "The study's own rank correlations are listed beside ours in the groups "
        + ", ".join(code(group) for group in PAPER_RHO)
        + "; [paper.md](../paper.md) compares them.",
    )


def json_page() -> str:
    parts = []
    for name in schema.NAMES:
        document = json.loads(schema.text(name))
        parts.append(f"## {document['title']}\n\n{document['description']}\n\n{members(document)}")
    definitions = {
        name: node
        for document in schema.NAMES
        for name, node in json.loads(schema.text(document))["$defs"].items()
    }
    shown = (
        f"### `{name}`\n\n{node.get('description', '')}\n\n{members(node)}"
        for name, node in sorted(definitions.items())
        if "properties" in node
    )
    return page(
        "JSON",
        "pytest_energy/report/schema",
        "Two documents are written for programs. Their JSON Schemas (draft 2020-12) come with the package:",
        "```sh\npytest-energy schema run\npytest-energy schema baseline\n```",
        "A new key is no new format, a changed or removed one is. A value that was not measured is `null`, "
        "never 0.",
        *parts,
        "## What they are made of",
        *shown,
    )


def members(node: Mapping[str, Any]) -> str:
    required = node.get("required", ())
    rows = (
        (
            code(name),
            kind(member),
            "" if name in required else "may be left out",
            member.get("description", ""),
        )
        for name, member in node["properties"].items()
    )
    return table(("key", "is", "", "meaning"), rows)


def kind(node: Mapping[str, Any]) -> str:
    """The type of a value, in words."""
    if "$ref" in node:
        return str(node["$ref"]).removeprefix("#/$defs/")
    if "anyOf" in node:
        return " or ".join(kind(one) for one in node["anyOf"])
    if "enum" in node or "const" in node:
        return ", ".join(code(str(one)) for one in node.get("enum", [node.get("const")]))
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(type_name(str(one), node) for one in types)


def type_name(name: str, node: Mapping[str, Any]) -> str:
    if name == "array":
        return f"list of {kind(node['items'])}"
    if name == "object" and isinstance(node.get("additionalProperties"), dict):
        return f"name to {kind(node['additionalProperties'])}"
    return {"string": "text", "integer": "whole number"}.get(name, name)


# ---- all of them ----

PAGES = {
    "api.md": api_page,
    "options.md": options_page,
    "marker.md": marker_page,
    "names.md": names_page,
    "fixture.md": fixture_page,
    "hooks.md": hooks_page,
    "serving.md": serving_page,
    "command-line.md": command_page,
    "metrics.md": metrics_page,
    "json.md": json_page,
}


def pages() -> dict[str, str]:
    """Every page by its name in docs/reference."""
    made = {name: make() for name, make in PAGES.items()}
    names = "\n".join(name.removesuffix(".md") for name in made)
    contents = "\n".join(
        f"- [{text.partition(chr(10))[0].removeprefix('# ')}]({name})" for name, text in made.items()
    )
    hidden = f"```{{toctree}}\n:hidden:\n\n{names}\n```"
    index = page("Reference", "the code", "Made from the code that it describes.", contents, hidden)
    return {"index.md": index, **made}


def main() -> int:
    """Write every page that has changed, and say which."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(DOCS.parent)}")  # noqa: T201  # a script says what it did
    return 0


if __name__ == "__main__":
    sys.exit(main())
