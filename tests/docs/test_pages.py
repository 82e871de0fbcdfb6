"""README and guides: what they show runs as it stands, and what they name is there.

A comment before a block says what is done with it, `<!-- test: ... -->`, its parts between semicolons:

- `file=NAME` writes a Python block to that file.
- `joules=J` gives J a round to every test in the block's runs of pytest, through a replay, so that a page is
  checked on any machine and in seconds. `as-is` gives none, for a command that names its own.
- `exit=N` is the status of the block's last command, else 0; `says=A|B` are texts of its output.
- `needs=PACKAGE` leaves the block out without it; `parsed` has its commands parsed and not run.
"""

import ast
import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
import torch._dynamo  # noqa: F401  # a run in this process forgets what it loaded, and torch loads only once

import pytest_energy.profiling.pytorch  # noqa: F401
from docs import generate, source_pages, source_text
from pytest_energy.cli import main
from pytest_energy.plugin.mark import ARGUMENTS
from pytest_energy.plugin.options import OPTIONS, flag_of
from pytest_energy.serving import Slo

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TAUGHT = ("README.md", "docs/tutorial.md", *(f"docs/how-to/{p.name}" for p in (DOCS / "how-to").glob("*.md")))
ALL = ("README.md", *(str(path.relative_to(ROOT)) for path in sorted(DOCS.rglob("*.md"))))

BLOCK = re.compile(
    r"^(?:<!-- test: (?P<said>.*?) -->\n)?```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[\w-]+)?\)")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page, and what its comment says."""

    page: str
    kind: str
    body: str
    said: dict[str, str]

    @property
    def commands(self) -> list[list[str]]:
        """Those after a `$`, or all lines of a block that shows no prompt."""
        lines = self.body.splitlines()
        if self.kind == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        found = [shlex.split(line, comments=True) for line in lines]
        return [words[1:] if re.fullmatch(r"\w+=\S*", words[0]) else words for words in found if words]

    @property
    def is_runnable(self) -> bool:
        needed = self.said.get("needs")
        return "parsed" not in self.said and (needed is None or importlib.util.find_spec(needed) is not None)


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, match["kind"], match["body"], _said(match["said"] or ""))
        for match in BLOCK.finditer(text)
    ]


def _said(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split("; ") if part)
    return {name: value for name, _, value in parts}


# ---- running ----


def _replay(folder: Path, energy_j: str) -> None:
    """Twenty rounds of about *energy_j* for every test in *folder*."""
    rounds = [
        {"energy_j": joules, "duration_s": 1.0, "channels": {"cpu:package-0": joules}}
        for joules in (float(energy_j) * (1 + 0.002 * (number % 3)) for number in range(20))
    ]
    names = {
        path.name: re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
        for path in folder.glob("test_*.py")
    }
    tests = {f"{file}::{name}": {"rounds": rounds} for file, found in names.items() for name in found}
    (folder / "replay.json").write_text(json.dumps({"format": 1, "tests": tests}), encoding="utf-8")


def _run(words: list[str], block: Block, pytester: pytest.Pytester) -> int:
    if words[0] == "pytest":
        given = [] if "as-is" in block.said else ["--energy-sensors=replay:replay.json"]
        return int(pytester.runpytest_inprocess(*words[1:], *given).ret)
    assert words[0] == "pytest-energy", f"{block.page}: {words}: nobody knows how to run this; say `parsed`"
    return main(words[1:])


@pytest.mark.parametrize("page", TAUGHT)
def test_a_page_runs_as_it_stands(
    page: str, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its files and commands, in their order and in one folder, end and say what the page says."""
    joules = "1.0"
    for block in blocks(page):
        if "file" in block.said and block.is_runnable:
            (pytester.path / block.said["file"]).write_text(block.body, encoding="utf-8")
        elif block.kind == "console" and block.is_runnable:
            joules = block.said.get("joules", joules)
            _replay(pytester.path, joules)
            capsys.readouterr()
            statuses = [_run(words, block, pytester) for words in block.commands]
            output = capsys.readouterr().out
            assert statuses == [0] * (len(statuses) - 1) + [int(block.said.get("exit", 0))], (
                block.body,
                output,
            )
            for text in filter(None, block.said.get("says", "").split("|")):
                assert text in output, (block.body, output)


@pytest.mark.parametrize("page", TAUGHT)
def test_a_shown_output_is_of_the_command(page: str) -> None:
    """Where a page shows what a command says, it shows the first of the texts that the command is held to."""
    for block in blocks(page):
        lines = block.body.splitlines()
        if block.kind == "console" and any(not line.startswith("$ ") for line in lines):
            first = block.said["says"].partition("|")[0]
            assert any(first in line for line in lines if not line.startswith("$ ")), block.body


@pytest.mark.parametrize("page", TAUGHT)
def test_every_block_is_checked(page: str) -> None:
    """A block of code is Python, a console or plain output; test_ci checks the workflows of the README."""
    elsewhere = {"yaml"} if page == "README.md" else set()
    assert {block.kind for block in blocks(page)} - elsewhere <= {"", "python", "console"}


# ---- what is named ----


def _not_run(page: str) -> Iterator[list[str]]:
    for block in blocks(page):
        if block.kind == "console" and "parsed" in block.said:
            yield from block.commands


COMMANDS = {" ".join(words): words for page in TAUGHT for words in _not_run(page)}


@pytest.mark.parametrize("words", [w for w in COMMANDS.values() if w[0] == "pytest"], ids=" ".join)
def test_pytest_takes_the_command(words: list[str], pytester: pytest.Pytester) -> None:
    """pytest and the plugin understand every option, before any test."""
    pytester.parseconfigure(*words[1:])


@pytest.mark.parametrize("words", [w for w in COMMANDS.values() if w[0] == "pytest-energy"], ids=" ".join)
def test_the_command_has_its_options(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The subcommand exists, and its help names every option."""
    own = words[1 : words.index("--")] if "--" in words else words[1:]
    path = own[:2] if own[0] == "baselines" else own[:1]
    with pytest.raises(SystemExit) as stopped:
        main([*path, "--help"])
    assert stopped.value.code == 0
    known = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    assert {word.partition("=")[0] for word in own if word.startswith("--")} <= known


@pytest.mark.parametrize("page", ALL)
def test_options_that_are_named_exist(page: str) -> None:
    """A page names no option of pytest that the plugin doesn't have."""
    named = set(re.findall(r"(?<![\w-])--energy-[a-z][\w-]*", (ROOT / page).read_text(encoding="utf-8")))
    former = {flag_of(option.former) for option in OPTIONS if option.former}
    known = {option.flag for option in OPTIONS} | (former if page == "docs/reference/names.md" else set())
    assert named <= known


@pytest.mark.parametrize("page", ALL)
def test_extras_that_are_named_exist(page: str) -> None:
    """A page installs no extra that the package doesn't have."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(
        r"pip install (?:-e )?'(?:\.|pytest-energy)\[([\w,]+)\]'", (ROOT / page).read_text("utf-8")
    )
    assert {extra for extras in named for extra in extras.split(",")} <= project[
        "optional-dependencies"
    ].keys()


@pytest.mark.parametrize("page", ALL)
def test_links_lead_somewhere(page: str) -> None:
    """A file that a page links to is there."""
    folder = (ROOT / page).parent
    targets = LINK.findall(
        re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    )
    assert [target for target in targets if not (folder / target).exists()] == []


# ---- calls ----


def _function(path: str, name: str) -> ast.arguments:
    owner, _, method = name.partition(".")
    if not method:
        return source_text.functions(path)[name].args
    body = source_text.classes(path)[owner].body
    return next(one.args for one in body if isinstance(one, ast.FunctionDef) and one.name == method)


def _names(arguments: ast.arguments) -> set[str]:
    return {one.arg for one in (*arguments.args, *arguments.kwonlyargs)} - {"self"}


TAKEN = {
    **{f"energy.{name}": _names(source_pages.fixture_methods()[name].args) for name in source_pages.METHODS},
    **{name: _names(_function(path, f"{name}.__init__")) for path, name in source_pages.ENGINES},
    **{name: _names(_function("serving/prompts.py", name)) for name in source_pages.PROMPTS},
    "Slo": {field.name for field in fields(Slo)},
    "pytest.mark.energy": set(ARGUMENTS),
}
TAKES_ANY = {"energy.record"}  # the names are the reader's own


@pytest.mark.parametrize("page", TAUGHT)
def test_python_calls_what_there_is(page: str) -> None:
    """Every Python block parses, and gives what is ours only arguments that it takes."""
    for block in blocks(page):
        if block.kind != "python":
            continue
        for node in ast.walk(ast.parse(block.body)):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in TAKEN.keys() - TAKES_ANY:
                assert {keyword.arg for keyword in node.keywords} <= TAKEN[name], ast.unparse(node)


@pytest.mark.parametrize("page", TAUGHT)
def test_python_imports_what_there_is(page: str) -> None:
    """A name that a block imports from us is defined, or imported, in the module that it names."""
    for block in blocks(page):
        for node in ast.walk(ast.parse(block.body if block.kind == "python" else "")):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pytest_energy"):
                found = importlib.util.find_spec(str(node.module))
                assert found is not None
                source = Path(str(found.origin)).read_text(encoding="utf-8")
                for alias in node.names:
                    assert re.search(rf"\b{alias.name}\b", source), alias.name


# ---- the site ----


def test_the_reference_is_up_to_date() -> None:
    """docs/reference is what docs/generate.py makes of the code; run it after a change of a text there."""
    made = generate.pages()
    assert {path.name for path in generate.FOLDER.iterdir()} == made.keys()
    stale = [name for name, text in made.items() if (generate.FOLDER / name).read_text("utf-8") != text]
    assert stale == [], "run: python docs/generate.py"


def test_every_argument_and_option_is_in_the_reference() -> None:
    """The generator leaves none out: each option, marker argument and method of the fixture stands there."""
    made = "\n".join(generate.pages().values())
    for name in (*(option.flag for option in OPTIONS), *ARGUMENTS):
        assert name in made
    hook_texts = [f"`{name}`" for name in source_text.functions("plugin/hookspecs.py")]
    assert all(text in made for text in hook_texts)


def test_every_page_is_in_the_contents() -> None:
    """The site's contents lead to every page, or its build would stop with a warning."""
    reached, open_pages = set[str](), ["index"]
    while open_pages:
        name = open_pages.pop()
        if name not in reached:
            reached.add(name)
            open_pages += _contents(name)
    assert reached == {str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")}


def _contents(name: str) -> Iterator[str]:
    path = DOCS / f"{name}.md"
    for tree in re.findall(
        r"^```\{toctree\}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        for entry in (line for line in tree.splitlines() if line and not line.startswith(":")):
            found = sorted(path.parent.glob(f"{entry}.md"))
            assert found, f"{path}: {entry} is no page"
            yield from (str(one.relative_to(DOCS).with_suffix("")) for one in found)
