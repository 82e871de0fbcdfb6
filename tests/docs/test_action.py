"""The action and the component, run as the services run them, against a stand-in of their APIs."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.test_ci import ON_GITHUB, ON_GITLAB, uses_of_action
from tests.fakes.ci_runner import ARTIFACT_URL, ROOT, GitHubJob, Machine, Result, component_jobs
from tests.fakes.forge_server import ME, SOMEBODY, Answer, ForgeServer
from tests.fakes.markdown_page import Page

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
COMPONENT = (ROOT / "templates" / "energy.yml").read_text(encoding="utf-8")
TOKEN = "ghs_0123456789abcdefXYZ"  # noqa: S105  # of a stand-in
FILES = {"report.json", "report.md", "report.html", "energy.badge.json", "energy.badge.svg"}
REPLAYED = "--energy-sensors=replay:replay.json"
NAMES = ["@someone #1", "<img src=x>", "a|b`c", "::error::x", "[x](http://example.com)"]

TESTS = f"""
import pytest

@pytest.mark.parametrize("name", {NAMES!r})
def test_work(energy, name):
    energy.measure(sum, [1])

@pytest.mark.energy(budget_j=0.5)
def test_dear(energy):
    energy.measure(sum, [1])
"""


def git(place: Path, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    done = subprocess.run(["git", *own, *words], cwd=place, capture_output=True, text=True, check=True)  # noqa: S603, S607
    return done.stdout.strip()


def make_project(folder: Path) -> Path:
    """A repository with energy tests, joules for them, and an origin."""
    place, origin = folder / "project", folder / "origin.git"
    place.mkdir()
    git(folder, "init", "-q", "--bare", "-b", "main", str(origin))
    git(place, "init", "-q", "-b", "main")
    git(place, "remote", "add", "origin", str(origin))
    (place / "benchmarks").mkdir()
    (place / "benchmarks" / "test_work.py").write_text(TESTS)
    rounds = [{"energy_j": 1.0, "duration_s": 1.0, "channels": {"gpu:0": 1.0}}] * 5
    names = (*(f"test_work[{one}]" for one in NAMES), "test_dear")
    replay = {"format": 1, "tests": {f"benchmarks/test_work.py::{one}": {"rounds": rounds} for one in names}}
    (place / "replay.json").write_text(json.dumps(replay))
    git(place, "add", "-A")
    git(place, "commit", "-qm", "First")
    git(place, "push", "-q", "origin", "main")
    return place


def variables(server: ForgeServer, run_id: int, event_name: str = "pull_request") -> dict[str, str]:
    return {
        "GITHUB_API_URL": server.url,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "owner/name",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_BASE_REF": "main" if event_name == "pull_request" else "",
        "GITHUB_EVENT_NAME": event_name,
        "GITHUB_RUN_ID": str(run_id),
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_SHA": "0123456789abcdef",
        "JOB_TOKEN": TOKEN,
        "PYTEST_ADDOPTS": REPLAYED,
    }


Shell = subprocess.CompletedProcess[str]

PULL_REQUEST = {"pull_request": {"number": 7}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A runner with a checkout, and the API that its jobs talk to."""

    machine: Machine
    project: Path
    server: ForgeServer

    def job(self, run_id: int = 5, event_name: str = "pull_request") -> GitHubJob:
        event = PULL_REQUEST if event_name == "pull_request" else {}
        return GitHubJob(self.machine, self.project, variables(self.server, run_id, event_name), event)

    @property
    def measured(self) -> dict[str, dict[str, str]]:
        """The step that measures, taken as done."""
        return {"measure": {"folder": str(self.machine.folder / "temp" / "energy")}}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, GitHubJob, Result]]:
    """The first run of the page's recipe on a pull request; one test of the project is over its budget."""
    folder = tmp_path_factory.mktemp("action")
    with ForgeServer() as server:
        server.add("talk", SOMEBODY)
        place = Place(machine=Machine(folder / "machine"), project=make_project(folder), server=server)
        job = place.job()
        yield place, job, job.run(ACTION, recipe("energy"))


def recipe(name: str) -> dict[str, Any]:
    """Inputs of the recipe on the page whose artifact has this *name*, and that runs pytest."""
    (inputs,) = [
        one for one in uses_of_action() if (one.get("name", "energy"), one.get("mode")) == (name, None)
    ]
    return inputs


@pytest.fixture
def place(first: tuple[Place, GitHubJob, Result]) -> Iterator[Place]:
    """The same runner and what was measured, with an API without comments."""
    with ForgeServer() as server:
        yield Place(machine=first[0].machine, project=first[0].project, server=server)


# ---- the action ----


def test_a_failing_test_fails_the_job_and_is_reported(first: tuple[Place, GitHubJob, Result]) -> None:
    """The artifact, the summary and the comment are there all the same."""
    place, job, result = first
    assert result.has_failed
    assert result.outcomes == {"Install pytest-energy": 0, "Measure": 1, "Comment on the pull request": 0}
    assert result.uploads == {"energy": FILES}
    assert "### Energy of 6 tests" in job.summary
    assert result.outputs == {
        "folder": str(place.machine.folder / "temp" / "energy"),
        "report-url": ARTIFACT_URL,
    }
    assert f"python -m pip install {ROOT}[html]" in place.machine.commands


def test_the_comment_has_the_failing_test_first_and_links_the_files(
    first: tuple[Place, GitHubJob, Result],
) -> None:
    """One comment, by our token; the talk of others is as it was."""
    place, _, _ = first
    (body,) = place.server.bodies(ME)
    assert body.startswith("<!-- pytest-energy key=energy run=5.1 -->\n### Energy of 6 tests")
    assert ": `test_dear`" in body.partition("| test |")[0]
    assert f"[Files of this run]({ARTIFACT_URL})" in body
    assert place.server.bodies(SOMEBODY) == ["talk"]


def test_hostile_names_are_inert_in_the_comment(first: tuple[Place, GitHubJob, Result]) -> None:
    """They are read as they are, and are no tag, link or mention."""
    place, _, result = first
    page = Page(place.server.bodies(ME)[0].partition("[Files of this run]")[0])
    assert page.foreign_tags == set()
    assert page.references == []
    assert {f"test_work[{name}]" for name in NAMES} <= set(page.code)
    assert not any(line.startswith("::error::x") for line in result.log.splitlines())


def test_the_token_is_never_printed(first: tuple[Place, GitHubJob, Result]) -> None:
    """It reaches the API, and no log, summary or file."""
    place, job, result = first
    assert place.server.tokens == {f"Bearer {TOKEN}"}
    kept = [result.log, job.summary, *place.server.bodies(ME), *place.machine.commands]
    kept += [one.read_text() for one in (place.machine.folder / "temp" / "energy").iterdir()]
    assert not any(TOKEN in text for text in kept)


def test_the_next_run_updates_the_comment(place: Place) -> None:
    """However often the action runs, there is one comment."""
    for run_id in (5, 6):
        result = place.job(run_id).run(ACTION, {}, done=place.measured)
        assert not result.has_failed
    (body,) = place.server.bodies()
    assert "run=6.1" in body


def test_a_fork_is_told_and_does_not_fail(place: Place) -> None:
    """Its token may only read."""
    refused = Answer(status=403, fields={"message": "Resource not accessible by integration"})
    place.server.answers = [None, None, refused]
    result = place.job().run(ACTION, {}, done=place.measured)
    assert not result.has_failed
    assert place.server.comments == {}
    assert "The token of a pull request from a fork may only read" in result.log


def test_a_refused_comment_fails_no_job(place: Place) -> None:
    """The step shows that it failed, the job doesn't."""
    place.server.answers = [None, None, Answer(status=422, fields={"message": "Validation Failed"})]
    result = place.job().run(ACTION, {}, done=place.measured)
    assert result.outcomes["Comment on the pull request"] == 1
    assert not result.has_failed


@pytest.mark.parametrize(("inputs", "event_name"), [({"comment": "false"}, "pull_request"), ({}, "push")])
def test_nothing_is_commented_unasked(place: Place, inputs: dict[str, str], event_name: str) -> None:
    """Not where it is switched off, and not outside pull requests."""
    result = place.job(event_name=event_name).run(ACTION, inputs, done=place.measured)
    assert not result.has_failed
    assert place.server.requests == []


def test_a_push_sets_the_badge(place: Place) -> None:
    """The branch holds the two files alone, and grows by a commit a push."""
    for _ in range(2):
        result = place.job(event_name="push").run(ACTION, {"badge-branch": "badge"}, done=place.measured)
        assert (result.has_failed, result.outcomes["Push the badge"]) == (False, 0)
    origin = place.project.parent / "origin.git"
    assert git(origin, "ls-tree", "--name-only", "badge").split() == ["energy.badge.json", "energy.badge.svg"]
    assert json.loads(git(origin, "show", "badge:energy.badge.json"))["message"] == "1 over-budget"
    assert git(origin, "rev-list", "--count", "badge") == "2"
    assert git(place.project, "diff", "--stat", "HEAD") == ""


def test_a_badge_replaces_no_branch_with_other_files(place: Place) -> None:
    """Who names main by mistake loses nothing."""
    origin = place.project.parent / "origin.git"
    before = git(origin, "rev-parse", "main")
    result = place.job(event_name="push").run(ACTION, {"badge-branch": "main"}, done=place.measured)
    assert result.has_failed
    assert "The branch main holds other files." in result.log
    assert git(origin, "rev-parse", "main") == before


def test_two_revisions_are_compared(place: Place) -> None:
    """The base branch is fetched if the checkout lacks it; the comparison is the comment and the summary."""
    clone = place.machine.folder / "shallow"
    git(place.machine.folder, "clone", "-q", f"file://{place.project.parent / 'origin.git'}", str(clone))
    git(clone, "checkout", "-q", "-b", "change")
    git(clone, "branch", "-q", "-D", "main")
    git(clone, "update-ref", "-d", "refs/remotes/origin/main")
    given = variables(place.server, 5) | {"PYTEST_ADDOPTS": ""}
    job = GitHubJob(place.machine, clone, given, PULL_REQUEST)
    more = {"ab-options": "--basis=counts", "name": "ab", "pytest-options": "-k dear"}
    inputs = next(one for one in uses_of_action() if one.get("mode") == "ab") | more
    result = job.run(ACTION, inputs)
    assert not result.has_failed, result.log
    (body,) = place.server.bodies()
    assert body.startswith("<!-- pytest-energy key=ab run=5.1 -->\n### Energy of 1 test: 1 pass")
    assert "### Energy of 1 test: 1 pass" in job.summary
    assert result.uploads == {"ab": FILES}


@pytest.mark.parametrize(
    ("inputs", "event_name", "text"),
    [
        ({"name": "../x"}, "pull_request", "The input name must hold letters"),
        ({"name": "other", "mode": "fast"}, "pull_request", "The input mode must be report or ab."),
        ({"name": "other", "mode": "ab"}, "push", "Mode ab needs a pull request, or the input base."),
    ],
)
def test_an_input_that_can_not_be_used_is_named(
    place: Place, inputs: dict[str, str], event_name: str, text: str
) -> None:
    """Before anything is measured."""
    result = place.job(event_name=event_name).run(ACTION, inputs)
    assert result.outcomes["Measure"] == 2
    assert f"::error::{text}" in result.log


def test_a_runner_without_a_sensor_fails_where_one_is_needed(place: Place) -> None:
    """It measures nothing, so that no estimate passes for a measurement."""
    given = variables(place.server, 5) | {"DOCTOR_STATUS": "1"}
    job = GitHubJob(place.machine, place.project, given, PULL_REQUEST)
    result = job.run(ACTION, {"name": "other", "needs-sensor": True})
    assert (result.has_failed, result.outcomes["Measure"]) == (True, 1)
    assert result.uploads == {"other": set()}
    assert place.server.comments == {}


def test_the_action_is_whole() -> None:
    """Each input is described and used, each step has a name, and each `uses` a version."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert ACTION["runs"]["using"] == "composite"
    used = set(re.findall(r"\binputs\.([\w-]+)", text))
    assert used == set(ACTION["inputs"])
    assert all(set(one) == {"description", "default"} for one in ACTION["inputs"].values())
    ids = {step.get("id") for step in ACTION["runs"]["steps"]}
    assert set(re.findall(r"\bsteps\.(\w+)\.", text)) <= ids
    for step in ACTION["runs"]["steps"]:
        assert step["name"]
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1"))


def test_no_input_is_pasted_into_a_shell() -> None:
    """What a pull request can choose reaches the shell as a variable only."""
    assert not any("${{" in step.get("run", "") for step in ACTION["runs"]["steps"])


# ---- the component ----


@pytest.fixture(scope="module")
def merge_request(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Shell]]:
    """The page's recipe, run in a merge request that has its note of an earlier pipeline."""
    folder = tmp_path_factory.mktemp("component")
    with ForgeServer() as server:
        place = Place(machine=Machine(folder / "machine"), project=make_project(folder), server=server)
        server.add("<!-- pytest-energy key=energy run=4.40 -->\nold")
        yield place, run_component(place, ON_GITLAB[0]["include"][0]["inputs"])


def run_component(place: Place, inputs: dict[str, object]) -> Shell:
    (job,) = component_jobs(COMPONENT, inputs).values()
    given = {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": place.server.url,
        "CI_PROJECT_ID": "42",
        "CI_PROJECT_URL": "https://gitlab.example/owner/name",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_PIPELINE_ID": "5",
        "CI_JOB_ID": "50",
        "CI_JOB_URL": "https://gitlab.example/owner/name/-/jobs/50",
        "GITLAB_TOKEN": TOKEN,
        "PYTEST_ADDOPTS": REPLAYED,
        **{name: str(value) for name, value in job["variables"].items()},
    }
    return place.machine.run("\n".join(job["script"]), place.project, given)


def test_the_component_comments_once_and_fails_with_its_tests(
    merge_request: tuple[Place, Shell],
) -> None:
    """The note of the earlier pipeline is updated; the status is that of pytest."""
    place, run = merge_request
    assert run.returncode == 1, run.stdout + run.stderr
    (body,) = place.server.bodies()
    assert body.startswith("<!-- pytest-energy key=energy run=5.50 -->\n### Energy of 6 tests")
    assert "https://gitlab.example/owner/name/-/jobs/50/artifacts/browse" in body
    assert {one.name for one in (place.project / "energy").iterdir()} == {*FILES, "junit.xml"}
    assert TOKEN not in run.stdout + run.stderr


def test_the_component_keeps_what_it_writes() -> None:
    """The artifact is the folder that the script fills, whatever its name."""
    (job,) = component_jobs(COMPONENT, {"name": "gpu", "tags": ["gpu"], "comment": False}).values()
    assert job["artifacts"]["paths"] == ["gpu/"]
    assert job["artifacts"]["reports"]["junit"] == "gpu/junit.xml"
    assert (job["tags"], job["variables"]["ENERGY_COMMENT"]) == (["gpu"], "false")


def test_each_input_of_the_component_is_used() -> None:
    """And none is used that isn't declared."""
    declared = yaml.safe_load(COMPONENT.split("\n---\n")[0])["spec"]["inputs"]
    assert set(re.findall(r"inputs\.([\w-]+)", COMPONENT)) == set(declared)


# ---- the recipes of docs/ci.md ----


def test_the_recipe_for_counts_runs(place: Place) -> None:
    """What has no baseline fails where it is strict, and is reported."""
    job = place.job()
    result = job.run(ACTION, recipe("energy-counts"))
    assert result.outcomes["Measure"] == 1, result.log
    assert result.uploads == {"energy-counts": FILES}
    (body,) = place.server.bodies()
    assert body.startswith(
        "<!-- pytest-energy key=energy-counts run=5.1 -->\n"
        "### Energy of 6 tests, every joule replayed: 1 OVER-BUDGET, 5 no-baseline\n"
    )


def test_the_recipe_for_baselines_pushes_them(place: Place) -> None:
    """What the other job has measured is accepted, committed and pushed."""
    (flow,) = [one for one in ON_GITHUB if "accept" in one["jobs"]]
    clone = place.machine.folder / "accepting"
    origin = place.project.parent / "origin.git"
    git(place.machine.folder, "clone", "-q", str(origin), str(clone))
    (clone / "measured").symlink_to(place.measured["measure"]["folder"])
    script = "\n".join(step["run"] for step in flow["jobs"]["accept"]["steps"] if "run" in step)
    run = place.machine.run(script, clone, variables(place.server, 5, "push"))
    assert run.returncode == 0, run.stdout + run.stderr
    stored = git(origin, "ls-tree", "-r", "--name-only", "main", "baselines").splitlines()
    assert len(stored) == len(NAMES)  # the test that is over its budget is left out
    assert git(origin, "log", "-1", "--format=%s", "main") == "Energy baselines of 0123456789abcdef"
