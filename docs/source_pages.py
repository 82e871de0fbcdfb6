"""Pages of what a test calls, from signatures and docstrings: fixture, hooks, public names, request loads."""  # noqa: INP001  # beside the pages that it makes

import ast
import re

import pytest_energy
from docs.markdown import page
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
