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
from tests.fakes.ci_runner import component_jobs

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, body) for kind, body in FENCE.findall(TEXT + README)]
WORKFLOWS = [yaml.safe_load(body) for kind, body in BLOCKS if kind == "yaml"]

ON_GITHUB = [flow for flow in WORKFLOWS if isinstance(flow, dict) and "jobs" in flow]
ON_GITLAB = [flow for flow in WORKFLOWS if isinstance(flow, dict) and "include" in flow]

OWN_ACTION = "OWNER/pytest-energy@main"
OWN_COMPONENT = "$CI_SERVER_FQDN/OWNER/pytest-energy/energy@main"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
COMPONENT = (ROOT / "templates" / "energy.yml").read_text(encoding="utf-8")
# What a job may ask for: to read, to comment, to push baselines or a badge, and to show who it is.
PERMISSIONS = {"contents": {"read", "write"}, "pull-requests": {"write"}, "id-token": {"write"}}


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
    assert (len(ON_GITHUB), len(ON_GITLAB), len(uses_of_action())) >= (3, 1, 3)
    subcommands = {words[1] for words in COMMANDS.values() if words[0] == "pytest-energy"}
    assert subcommands >= {"ab", "accept", "judge"}
    assert sum(words[0] == "pytest" for words in COMMANDS.values()) >= 4


def uses_of_action() -> list[dict[str, Any]]:
    """Inputs that the workflows give to the action."""
    steps = [step for flow in ON_GITHUB for job in flow["jobs"].values() for step in job["steps"]]
    steps += [step for flow in WORKFLOWS if isinstance(flow, list) for step in flow]
    return [step.get("with", {}) for step in steps if step.get("uses") == OWN_ACTION]


@pytest.mark.parametrize("workflow", ON_GITHUB)
def test_a_github_workflow_is_whole(workflow: dict[Any, Any]) -> None:
    """It has a name, a trigger (YAML 1.1 reads `on` as true), permissions, and jobs that run something."""
    assert workflow["name"]
    assert workflow[True]
    for permissions in (
        workflow["permissions"],
        *(one.get("permissions", {}) for one in workflow["jobs"].values()),
    ):
        assert all(value in PERMISSIONS[name] for name, value in permissions.items())
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            uses = step.get("uses", OWN_ACTION)
            assert uses == OWN_ACTION or re.fullmatch(r"(aws-)?actions/[\w-]+(/[\w-]+)?@v\d+", uses)


@pytest.mark.parametrize("workflow", [flow for flow in ON_GITHUB if "pull_request" in flow[True]])
def test_a_workflow_that_comments_may_do_so(workflow: dict[Any, Any]) -> None:
    """On pull requests the action needs the right to write to them."""
    assert workflow["permissions"]["pull-requests"] == "write"


@pytest.mark.parametrize("inputs", uses_of_action())
def test_inputs_of_the_action_are_declared(inputs: dict[str, Any], pytester: pytest.Pytester) -> None:
    """A misspelt input would be ignored; the options of pytest in it are those of the plugin."""
    assert inputs.keys() <= ACTION["inputs"].keys()
    pytester.parseconfigure(*shlex.split(inputs.get("pytest-options", "")))


@pytest.mark.parametrize("name", ACTION["inputs"])
def test_each_input_is_in_the_table(name: str) -> None:
    """The page lists all inputs of the action."""
    assert re.search(rf"^\| `{name}` \|", TEXT, re.MULTILINE)


def pipeline_of(flow: dict[str, Any]) -> dict[str, Any]:
    """The jobs of *flow*, those of the component included, as GitLab merges them."""
    jobs = {name: job for name, job in flow.items() if name not in {"stages", "include"}}
    for include in flow["include"]:
        assert include["component"] == OWN_COMPONENT
        for name, job in component_jobs(COMPONENT, include["inputs"]).items():
            jobs[name] = job | jobs.get(name, {})
    return jobs


@pytest.mark.parametrize("flow", ON_GITLAB)
def test_a_gitlab_pipeline_is_whole(flow: dict[str, Any]) -> None:
    """Each job has a script, rules and a stage that exists; what it needs is a job."""
    jobs = pipeline_of(flow)
    for job in jobs.values():
        assert job["script"]
        assert job["rules"]
        assert job["stage"] in flow["stages"]
        assert set(job.get("needs", [])) <= set(jobs)


def test_every_script_is_one() -> None:
    """A shell can read each script to its end."""
    own = [yaml.safe_load_all(COMPONENT), [ACTION]]
    flows = [*WORKFLOWS, *(flow for flows in own for flow in flows)]
    for text in (text for workflow in flows for text in scripts(workflow)):
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
