"""What GitHub and GitLab do with an action and a component: they fill in names, and a shell runs the steps.

Commands that would need a network (`pip`, `venv`) do nothing here; the package is the one under test. What
`pytest-energy doctor` finds is the variable DOCTOR_STATUS.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ARTIFACT_URL = "https://github.example/artifact/1"

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_WORD = re.compile(r"'[^']*'|[A-Za-z_][\w-]*(?:\.[\w-]+)*|&&|\|\||==|!=|!|[()]|\s+")
_OPERATORS = {"&&": "and", "||": "or", "!": "not", "==": "==", "!=": "!=", "(": "(", ")": ")"}
_INTERPOLATION = re.compile(r"\$\[\[\s*inputs\.([\w-]+)\s*\]\]")


class Machine:
    """A runner's commands and variables, and a log of what was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bin = folder / "bin"
        self._bin.mkdir(parents=True)
        python = f'case "$1 $2" in "-m pip"|"-m venv") exit 0;; esac\nexec {shlex.quote(sys.executable)}'
        energy = f"exec {shlex.quote(sys.executable)} -m pytest_energy"
        for name, text in {
            "python": python,
            "python3": python,
            "pip": "true",
            "pytest": f"exec {shlex.quote(sys.executable)} -m pytest -p no:cacheprovider",
            "pytest-energy": f'[ "$1" != doctor ] || exit $DOCTOR_STATUS\n{energy}',
        }.items():
            file = self._bin / name
            file.write_text(f'#!/bin/sh\necho "{name} $*" >> "$COMMAND_LOG"\n{text} "$@"\n')
            file.chmod(0o755)

    @property
    def commands(self) -> list[str]:
        log = self.folder / "commands.log"
        return log.read_text().splitlines() if log.exists() else []

    def run(self, script: str, place: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run *script* as GitHub's `shell: bash` and GitLab's runner do: it ends at the first failure."""
        environ = {
            "PATH": f"{self._bin}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "DOCTOR_STATUS": "0",
            "COMMAND_LOG": str(self.folder / "commands.log"),
            "NO_PROXY": "127.0.0.1",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
            **variables,
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(  # noqa: S603  # ours
            words, cwd=place, env=environ, capture_output=True, text=True, check=False, timeout=300
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a job ended.

    Attributes:
        outcomes: Of each step that was not skipped, by its name: its exit status.
        has_failed: Whether a step failed that fails the job.
        uploads: Name and files of each artifact.
    """

    outcomes: dict[str, int] = field(default_factory=dict)
    has_failed: bool = False
    log: str = ""
    uploads: dict[str, set[str]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


class GitHubJob:
    """A job of GitHub Actions in the checkout *place*."""

    def __init__(
        self, machine: Machine, place: Path, variables: Mapping[str, str], event: Mapping[str, object]
    ) -> None:
        self._machine, self._place, self._event = machine, place, event
        temp = machine.folder / "temp"
        temp.mkdir(exist_ok=True)
        (machine.folder / "event.json").write_text(json.dumps(event))
        self._variables = {
            **variables,
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(place),
            "GITHUB_EVENT_PATH": str(machine.folder / "event.json"),
            "GITHUB_STEP_SUMMARY": str(machine.folder / "summary.md"),
            "GITHUB_OUTPUT": str(machine.folder / "output"),
            "RUNNER_TEMP": str(temp),
        }

    @property
    def summary(self) -> str:
        file = self._machine.folder / "summary.md"
        return file.read_text() if file.exists() else ""

    def run(
        self,
        action: Mapping[str, Any],
        inputs: Mapping[str, object],
        *,
        done: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Result:
        """Run the steps of *action*.

        Args:
            action: The parsed file.
            inputs: What the workflow gives; it must be declared.
            done: Outputs of steps, by their ids, that are taken as done.
        """
        assert inputs.keys() <= action["inputs"].keys()
        names = _flat("github.event", self._event) | {
            "github.action_path": str(ROOT),
            "github.event_name": self._variables["GITHUB_EVENT_NAME"],
            "github.token": self._variables.get("JOB_TOKEN", ""),
        }
        defaults = {name: _filled(str(value["default"]), names) for name, value in action["inputs"].items()}
        given = {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in inputs.items()
        }
        names |= {f"inputs.{name}": value for name, value in (defaults | given).items()}
        state = Result()
        for step in action["runs"]["steps"]:
            state = self._step(step, names, state, done or {})
        outputs = {name: _filled(value["value"], names) for name, value in action["outputs"].items()}
        return Result(
            outcomes=state.outcomes,
            has_failed=state.has_failed,
            log=state.log,
            uploads=state.uploads,
            outputs=outputs,
        )

    def _step(
        self,
        step: Mapping[str, Any],
        names: dict[str, str],
        state: Result,
        done: Mapping[str, Mapping[str, str]],
    ) -> Result:
        step_id = step.get("id", "")
        if step_id in done:
            names |= {f"steps.{step_id}.outputs.{name}": value for name, value in done[step_id].items()}
            return state
        condition = step.get("if", "${{ true }}")
        is_asked_of_failures = "cancelled()" in condition
        if (state.has_failed and not is_asked_of_failures) or not evaluated(condition, names):
            return state
        if "uses" in step:
            filled = {name: _filled(str(value), names) for name, value in step["with"].items()}
            folder = Path(filled["path"])
            names[f"steps.{step_id}.outputs.artifact-url"] = ARTIFACT_URL
            state.uploads[filled["name"]] = {one.name for one in folder.rglob("*") if one.is_file()}
            return state
        variables = {name: _filled(value, names) for name, value in step.get("env", {}).items()}
        assert step["shell"] == "bash"
        output = Path(self._variables["GITHUB_OUTPUT"])
        output.write_text("")
        done_now = self._machine.run(step["run"], self._place, {**self._variables, **variables})
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            names[f"steps.{step_id}.outputs.{name}"] = value
        has_failed = done_now.returncode != 0 and not step.get("continue-on-error", False)
        return Result(
            outcomes={**state.outcomes, step["name"]: done_now.returncode},
            has_failed=state.has_failed or has_failed,
            log=state.log + done_now.stdout + done_now.stderr,
            uploads=state.uploads,
        )


def evaluated(condition: str, names: Mapping[str, str]) -> bool:
    """Whether an `if` of GitHub holds; a name without a value is empty."""
    expression = _EXPRESSION.fullmatch(condition)
    assert expression is not None, condition
    words = []
    for word in _WORD.findall(expression[1]):
        if word in _OPERATORS:
            words.append(_OPERATORS[word])
        elif word == "cancelled":
            words.append("bool")  # `bool()` is false: no job here is cancelled
        elif word[0] == "'" or word in {"true", "false"}:
            words.append({"true": "True", "false": "False"}.get(word, word))
        elif word.strip():
            words.append(repr(names.get(word, "")))
    assert "".join(_WORD.findall(expression[1])) == expression[1], condition
    return bool(eval(" ".join(words), {"bool": bool}))  # noqa: S307  # made of the words above


def _filled(text: str, names: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda match: names.get(match[1], ""), text)


def _flat(prefix: str, values: Mapping[str, object]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        inner = f"{prefix}.{name}"
        flat |= _flat(inner, value) if isinstance(value, dict) else {inner: str(value)}
    return flat


def component_jobs(text: str, inputs: Mapping[str, object]) -> dict[str, Any]:
    """The jobs of a component of GitLab, with *inputs* filled into its text."""
    head, body = text.split("\n---\n", 1)
    declared = yaml.safe_load(head)["spec"]["inputs"]
    assert inputs.keys() <= declared.keys()
    values = {name: one["default"] for name, one in declared.items()} | dict(inputs)
    for name, one in declared.items():
        assert values[name] in one.get("options", [values[name]])
        assert re.fullmatch(one.get("regex", ".*").strip("^$"), str(values[name]), re.DOTALL)
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    jobs: dict[str, Any] = yaml.safe_load(_INTERPOLATION.sub(lambda match: written[match[1]], body))
    return jobs
