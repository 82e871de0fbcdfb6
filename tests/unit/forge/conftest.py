"""The stand-in of a forge, and a job that points at it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_energy.forge import web
from tests.fakes.forge_server import ForgeServer

TOKEN = "ghs_0123456789abcdefXYZ"  # noqa: S105  # of a stand-in
_OF_JOBS = ("GITHUB_", "CI_", "GH_TOKEN", "GITLAB_")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgeServer]:
    """No test waits between tries, and none asks a proxy."""
    monkeypatch.setattr(web, "WAITS_S", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ForgeServer() as running:
        yield running


def on_github(server: ForgeServer, run_id: int = 5) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": server.url,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "owner/name",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_RUN_ID": str(run_id),
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_SHA": "0123456789abcdef",
        "GITHUB_TOKEN": TOKEN,
    }


def on_gitlab(server: ForgeServer) -> dict[str, str]:
    return {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": server.url,
        "CI_PROJECT_ID": "42",
        "CI_PROJECT_URL": "https://gitlab.example/owner/name",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_PIPELINE_ID": "5",
        "CI_JOB_ID": "50",
        "CI_JOB_URL": "https://gitlab.example/owner/name/-/jobs/50",
        "CI_COMMIT_SHA": "0123456789abcdef",
        "GITLAB_TOKEN": TOKEN,
    }


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "run.md"
    path.write_text("<!-- pytest-energy -->\n### Energy of 1 test: 1 pass\n", encoding="utf-8")
    return path


def set_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Of the job that this very test may run in nothing is left."""
    for name in [*os.environ]:
        if name.startswith(_OF_JOBS):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
