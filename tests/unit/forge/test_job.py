"""What a job says of itself."""

import json
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.forge.job import NoToken, job_of, provider_of
from tests.fakes.forge_server import ForgeServer
from tests.unit.forge.conftest import on_github, on_gitlab


def test_the_service_is_known_by_its_variables(server: ForgeServer) -> None:
    """Each sets its own; where none does, --provider is asked for."""
    assert provider_of(on_github(server)) == "github"
    assert provider_of(on_gitlab(server)) == "gitlab"
    with pytest.raises(SettingsError, match="give --provider github or gitlab"):
        provider_of({})


def test_a_github_job(server: ForgeServer) -> None:
    """Request, run and link are those of the job."""
    job = job_of("github", on_github(server))
    assert job.forge.name == "pull request 7 of owner/name"
    assert (job.run, job.forge.most_characters) == ((5, 1), 65_536)
    assert job.report_url == "https://github.example/owner/name/actions/runs/5"


def test_a_gitlab_job(server: ForgeServer) -> None:
    """Notes of a merge request from a fork belong to the project that it asks to merge into."""
    job = job_of("gitlab", {**on_gitlab(server), "CI_MERGE_REQUEST_PROJECT_ID": "41"})
    assert job.forge.name == "merge request 7 of project 41"
    assert (job.run, job.forge.most_characters) == ((5, 50), 1_000_000)
    assert job.report_url == "https://gitlab.example/owner/name/-/jobs/50/artifacts/browse"


@pytest.mark.parametrize("event", [{"pull_request": {"number": 9}}, {"issue": {"number": 9}}])
def test_the_events_number_comes_first(server: ForgeServer, tmp_path: Path, event: object) -> None:
    """A workflow of `pull_request_target` runs on the base branch, so that its ref names no request."""
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    job = job_of(
        "github", {**on_github(server), "GITHUB_EVENT_PATH": str(path), "GITHUB_REF": "refs/heads/main"}
    )
    assert job.forge.name == "pull request 9 of owner/name"


@pytest.mark.parametrize("content", ["[]", '{"pull_request": 3}', '{"pull_request": {"number": "3"}}'])
def test_an_odd_event_is_none(server: ForgeServer, tmp_path: Path, content: str) -> None:
    """Then the ref says what the job is of."""
    path = tmp_path / "event.json"
    path.write_text(content)
    assert job_of("github", {**on_github(server), "GITHUB_EVENT_PATH": str(path)}).forge.name.startswith(
        "pull request 7"
    )


def test_a_push_has_no_request(server: ForgeServer) -> None:
    """It is said what to do."""
    with pytest.raises(
        SettingsError, match="this job belongs to no pull request: give --number, or run it on"
    ):
        job_of("github", {**on_github(server), "GITHUB_REF": "refs/heads/main"})
    with pytest.raises(SettingsError, match="CI_MERGE_REQUEST_IID is not set"):
        job_of("gitlab", {**on_gitlab(server), "CI_MERGE_REQUEST_IID": ""})


@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_no_token_names_the_variable(server: ForgeServer, provider: str) -> None:
    """Where it comes from is said."""
    environ = {"github": on_github, "gitlab": on_gitlab}[provider](server)
    for name in ("GITHUB_TOKEN", "GITLAB_TOKEN"):
        environ.pop(name, None)
    with pytest.raises(NoToken, match=rf"^{provider.upper()}_TOKEN.* must hold a token: "):
        job_of("github" if provider == "github" else "gitlab", environ)


def test_a_token_with_a_line_in_it_makes_no_header(server: ForgeServer) -> None:
    """It is refused before it leaves, and not shown."""
    with pytest.raises(SettingsError, match=r"has characters that no token can have$"):
        job_of("github", {**on_github(server), "GITHUB_TOKEN": "a\r\nX-Evil: 1"})
