"""docs/ci.md: every workflow is whole, and every command in it is one that exists."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_energy.cli import main

TEXT = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, body) for kind, body in FENCE.findall(TEXT)]
WORKFLOWS = [yaml.safe_load(body) for kind, body in BLOCKS if kind == "yaml"]

ON_GITHUB = [flow for flow in WORKFLOWS if isinstance(flow, dict) and "jobs" in flow]
ON_GITLAB = [flow for flow in WORKFLOWS if isinstance(flow, dict) and "jobs" not in flow]


def scripts(node: object) -> Iterator[str]:
    """Every shell text of a parsed workflow."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "run":
                yield value
            elif name in {"script", "before_script"}:
                yield "\n".join(value)
            else:
                yield from scripts(value)
    elif isinstance(node, list):
        for value in node:
            yield from scripts(value)


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell text, one a line or parted by `;`, `&&`, `|`; redirections end one."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("();<>|&"):
                yield words
                words = []
            else:
                words.append(word)
        yield words


def ours() -> list[list[str]]:
    """Commands of pytest and of pytest-energy in the workflows, the shell blocks and the sentences."""
    texts = [text for workflow in WORKFLOWS for text in scripts(workflow)]
    texts += [body for kind, body in BLOCKS if kind == "sh"]
    texts += re.findall(r"`((?:pytest|pytest-energy) [^`]+)`", FENCE.sub("", TEXT))
    found = [words for text in texts for words in commands(text)]
    return [words for words in found if words and words[0] in {"pytest", "pytest-energy"}]


def named(words: list[str]) -> str:
    return " ".join(words)


COMMANDS = {named(words): words for words in ours()}


def test_the_document_has_what_is_tested() -> None:
    """Workflows for both services and the commands of each way are there to be tested."""
    assert len(WORKFLOWS) >= 6
    subcommands = {words[1] for words in COMMANDS.values() if words[0] == "pytest-energy"}
    assert subcommands >= {"ab", "accept", "doctor"}
    assert sum(words[0] == "pytest" for words in COMMANDS.values()) >= 4


@pytest.mark.parametrize("workflow", ON_GITHUB)
def test_a_github_workflow_is_whole(workflow: dict[Any, Any]) -> None:
    """It has a name, a trigger (YAML 1.1 reads `on` as true), permissions, and jobs that run something."""
    assert workflow["name"]
    assert workflow[True]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert re.fullmatch(r"actions/[\w-]+(/[\w-]+)?@v\d+", step.get("uses", "actions/checkout@v6"))


@pytest.mark.parametrize("workflow", ON_GITLAB)
def test_a_gitlab_pipeline_is_whole(workflow: dict[str, Any]) -> None:
    """Each job has a script, rules and a stage that exists; what it extends is there."""
    stages = workflow.get("stages", [None])
    for name, job in workflow.items():
        if name != "stages" and not name.startswith("."):
            assert job["script"]
            assert job["rules"]
            assert job.get("stage") in stages
            assert job.get("extends", name) in workflow


def test_every_script_is_one() -> None:
    """A shell can read each script to its end."""
    for text in (text for workflow in WORKFLOWS for text in scripts(workflow)):
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)  # noqa: S607
        assert (done.returncode, done.stderr) == (0, ""), text


@pytest.mark.parametrize("words", [w for w in COMMANDS.values() if w[0] == "pytest"], ids=named)
def test_pytest_takes_the_command(words: list[str], pytester: pytest.Pytester) -> None:
    """pytest and the plugin understand every option, before any test."""
    pytester.parseconfigure(*words[1:])


@pytest.mark.parametrize("words", [w for w in COMMANDS.values() if w[0] == "pytest-energy"], ids=named)
def test_the_command_has_its_options(
    words: list[str], pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """The subcommand exists and its help names every option; what follows `--` is for pytest."""
    own, for_pytest = words[1:], list[str]()
    if "--" in own:
        cut = own.index("--")
        own, for_pytest = own[:cut], own[cut + 1 :]
    with pytest.raises(SystemExit) as stopped:
        main([own[0], "--help"])
    assert stopped.value.code == 0
    known = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    assert {word.partition("=")[0] for word in own if word.startswith("--")} <= known
    if for_pytest:
        pytester.parseconfigure(*for_pytest)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([\w./-]+\.md)\)", TEXT))))
def test_links_lead_somewhere(link: str) -> None:
    """A page that is named is there."""
    assert (Path(__file__).parents[2] / "docs" / link).exists()
