"""A CI job, from its environment: the forge, the request, the run and the token.

Source:
    GitHub, "Default environment variables"; GitLab, "Predefined CI/CD variables".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_energy.errors import SettingsError
from pytest_energy.forge.services import Forge, GitHub, GitLab
from pytest_energy.forge.web import Api
from pytest_energy.masking import keep_secret
from pytest_energy.whole_file import read_whole

Provider = Literal["github", "gitlab"]

_GITHUB_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
_GITLAB_TOKENS = ("GITLAB_TOKEN",)
_MOST_EVENT_BYTES = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Where a report is posted, and what it is of.

    Attributes:
        run: Number of the run and of its try.
        report_url: Where a person finds the files of the run; empty if that isn't known.
        commit: That was measured; empty if that isn't known.
        without_right: What to do where the token has no right to comment.
    """

    forge: Forge
    run: tuple[int, int]
    report_url: str
    commit: str
    without_right: str


class NoToken(SettingsError):
    """There is no token: as in pipelines of forks, which get no secrets."""


def provider_of(environ: Mapping[str, str]) -> Provider:
    """The service that the job runs on.

    Raises:
        SettingsError: It is none that is known.
    """
    if environ.get("GITLAB_CI") == "true" or "CI_API_V4_URL" in environ:
        return "gitlab"
    if environ.get("GITHUB_ACTIONS") == "true" or "GITHUB_REPOSITORY" in environ:
        return "github"
    raise SettingsError("this is not a job of GitHub Actions or GitLab CI: give --provider github or gitlab")


def job_of(provider: Provider, environ: Mapping[str, str], number: int | None = None) -> Job:
    """The job that *environ* describes.

    Args:
        provider: The service.
        environ: Of the process.
        number: Of the pull or merge request, if it isn't the job's own.

    Raises:
        NoToken: The environment holds no token.
        SettingsError: The request isn't known.
    """
    return _on_github(environ, number) if provider == "github" else _on_gitlab(environ, number)


def _on_github(environ: Mapping[str, str], number: int | None) -> Job:
    repository = _wanted(environ, "GITHUB_REPOSITORY", "owner/name of the repository")
    number = _pull_request(environ) if number is None else number
    token = _token(environ, _GITHUB_TOKENS, "in GitHub Actions, env: GITHUB_TOKEN: ${{ github.token }}")
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "pytest-energy",
    }
    api = Api(forge="GitHub", url=environ.get("GITHUB_API_URL") or "https://api.github.com", headers=headers)
    server, run_id = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_RUN_ID", "")
    return Job(
        forge=GitHub(api=api, repository=repository, number=number),
        run=(_number(run_id), _number(environ.get("GITHUB_RUN_ATTEMPT", ""))),
        report_url=f"{server}/{repository}/actions/runs/{run_id}" if server and run_id else "",
        commit=environ.get("GITHUB_SHA", ""),
        without_right="The token of a pull request from a fork may only read. In others give the "
        "job `permissions: pull-requests: write`.",
    )


def _on_gitlab(environ: Mapping[str, str], number: int | None) -> Job:
    project = environ.get("CI_MERGE_REQUEST_PROJECT_ID") or _wanted(
        environ, "CI_PROJECT_ID", "number of the project"
    )
    if number is None:
        number = _number(_wanted(environ, "CI_MERGE_REQUEST_IID", "number of the merge request, or --number"))
    token = _token(
        environ,
        _GITLAB_TOKENS,
        "a masked variable with a project access token of scope api and role Reporter",
    )
    headers = {"PRIVATE-TOKEN": token, "User-Agent": "pytest-energy"}
    api = Api(
        forge="GitLab", url=environ.get("CI_API_V4_URL") or "https://gitlab.com/api/v4", headers=headers
    )
    project_page = environ.get("CI_MERGE_REQUEST_PROJECT_URL") or environ.get("CI_PROJECT_URL", "")
    page = f"{project_page}/-/merge_requests/{number}" if project_page else ""
    job_page = environ.get("CI_JOB_URL", "")
    return Job(
        forge=GitLab(api=api, project=project, number=number, page=page),
        run=(_number(environ.get("CI_PIPELINE_ID", "")), _number(environ.get("CI_JOB_ID", ""))),
        report_url=f"{job_page}/artifacts/browse" if job_page else "",
        commit=environ.get("CI_COMMIT_SHA", ""),
        without_right="The token must have the scope api and at least the role Reporter.",
    )


def _wanted(environ: Mapping[str, str], name: str, what: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set: it must hold the {what}")
    return value


def _token(environ: Mapping[str, str], names: tuple[str, ...], remedy: str) -> str:
    token = next((environ[name].strip() for name in names if environ.get(name, "").strip()), None)
    if token is None:
        raise NoToken(f"{' or '.join(names)} must hold a token: {remedy}")
    if not token.isascii() or not token.isprintable():
        raise SettingsError(f"the token in {' or '.join(names)} has characters that no token can have")
    keep_secret(token)
    return token


def _pull_request(environ: Mapping[str, str]) -> int:
    """Of the event that started the workflow, or of the ref that it runs on."""
    event = _event(environ.get("GITHUB_EVENT_PATH", ""))
    for name in ("pull_request", "issue"):
        number = getattr(event.get(name), "get", lambda _: None)("number")
        if isinstance(number, int):
            return number
    parts = environ.get("GITHUB_REF", "").split("/")
    if parts[:2] == ["refs", "pull"] and len(parts) > 2 and parts[2].isdecimal():
        return int(parts[2])
    raise SettingsError(
        "this job belongs to no pull request: give --number, or run it on the event pull_request"
    )


def _event(path: str) -> Mapping[str, object]:
    if not path:
        return {}
    try:
        event = json.loads(read_whole(Path(path), _MOST_EVENT_BYTES))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} (GITHUB_EVENT_PATH) can't be read: {error}") from error
    return event if isinstance(event, dict) else {}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else 0
