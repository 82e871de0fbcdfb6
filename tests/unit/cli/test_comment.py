"""`pytest-energy comment`: what it says, and with which status it ends."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.forge_server import Answer, ForgeServer
from tests.unit.cli.conftest import Cli
from tests.unit.forge.conftest import TOKEN, on_github, on_gitlab, report, server, set_environment

__all__ = ["report", "server"]  # fixtures


@pytest.mark.parametrize("jobs", [on_github, on_gitlab])
@pytest.mark.parametrize("is_named", [True, False])
def test_two_runs_make_one_comment(  # fixtures
    cli: Cli,
    server: ForgeServer,
    report: Path,
    monkeypatch: pytest.MonkeyPatch,
    jobs: Callable[[ForgeServer], dict[str, str]],
    *,
    is_named: bool,
) -> None:
    """On either service, named or found by the job's variables."""
    set_environment(monkeypatch, jobs(server))
    options = ["--provider", jobs.__name__.removeprefix("on_")] if is_named else []
    first, second = (cli("comment", report, *options) for _ in range(2))
    assert (first.status, second.status, first.err, second.err) == (0, 0, "", "")
    assert first.out.startswith("Comment 101 on ")
    assert "created: https://" in first.out
    assert "updated: https://" in second.out
    (body,) = server.bodies()
    assert "### Energy of 1 test: 1 pass" in body
    assert body.endswith("), commit 0123456789ab\n")


def test_a_token_that_may_not_comment_fails_nothing(
    cli: Cli, server: ForgeServer, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a fork that is as it should be: why is said, and where the report is."""
    set_environment(monkeypatch, on_github(server))
    refused = Answer(status=403, fields={"message": "Resource not accessible by integration"})
    server.answers = [None, None, refused]
    ran = cli("comment", report)
    assert ran.status == 0
    assert ran.out.startswith(
        "No comment on pull request 7 of owner/name: GitHub answered 403: "
        "Resource not accessible by integration. The token of a pull request from a fork may only read"
    )
    assert "The report is in the files of the job." in ran.out
    assert server.comments == {}


def test_no_token_fails_nothing(
    cli: Cli, server: ForgeServer, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pipelines of forks get no secrets."""
    set_environment(monkeypatch, on_gitlab(server) | {"GITLAB_TOKEN": ""})
    ran = cli("comment", report)
    assert (ran.status, server.requests) == (0, [])
    assert ran.out.startswith("No comment: GITLAB_TOKEN must hold a token: ")


@pytest.mark.parametrize("status", [401, 404, 422, 500, 429])
def test_a_refusal_is_status_1_and_one_sentence(
    cli: Cli, server: ForgeServer, report: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """The forge's own words are in it, without the token, and commanding no runner."""
    set_environment(monkeypatch, on_github(server))
    message = f"no\n::error::{TOKEN} \x1b[31m"
    server.answers = [None, None, *[Answer(status=status, fields={"message": message})] * 4]
    ran = cli("comment", report)
    assert (ran.status, ran.err) == (1, "")
    assert ran.out.startswith(f"No comment on pull request 7 of owner/name: GitHub answered {status}: no")
    assert TOKEN not in ran.out
    assert "\x1b" not in ran.out
    assert not any(line.startswith("::") for line in ran.out.splitlines())


def test_a_file_that_is_not_there_is_status_2(cli: Cli, server: ForgeServer, tmp_path: Path) -> None:
    """And nothing was asked."""
    ran = cli("comment", tmp_path / "x.md")
    assert (ran.status, ran.out, server.requests) == (2, "", [])
    assert (
        "x.md can't be read: No such file or directory; give a file written by --energy-out=run.md" in ran.err
    )


def test_each_key_has_its_comment(
    cli: Cli, server: ForgeServer, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two jobs of one pull request don't overwrite each other."""
    set_environment(monkeypatch, on_github(server))
    assert [cli("comment", report, "--key", key).status for key in ("gpu", "hosted", "gpu")] == [0, 0, 0]
    assert len(server.bodies()) == 2
