"""What is tried again, what is said where nothing helps, and that the token stays where it belongs."""

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.forge import web
from pytest_energy.forge.web import Api, ForgeError, NotAllowed, Unreachable
from tests.fakes.forge_server import Answer, ForgeServer
from tests.unit.forge.conftest import TOKEN


def api(server: ForgeServer, waits_s: list[float] | None = None) -> Api:
    waits_s = [] if waits_s is None else waits_s
    return Api(
        forge="GitHub", url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}, sleep=waits_s.append
    )


@pytest.mark.parametrize(
    "passing",
    [
        Answer(status=500),
        Answer(status=503),
        Answer(status=429, headers={"Retry-After": "7"}),
        Answer(status=403, fields={"message": "secondary rate limit"}, headers={"Retry-After": "7"}),
        Answer(status=403, headers={"X-RateLimit-Remaining": "0"}),
    ],
)
def test_what_passes_is_tried_again(server: ForgeServer, passing: Answer) -> None:
    """After the pause that the forge asks for, else after our own."""
    server.answers = [passing, passing]
    waits_s: list[float] = []
    assert api(server, waits_s).ask("GET", "/user") == {"login": "energy-bot", "username": "energy-bot"}
    assert waits_s == ([7.0, 7.0] if "Retry-After" in passing.headers else [0.0, 0.0])


@pytest.mark.parametrize("status", [401, 404, 410, 422, 301])
def test_what_does_not_pass_is_asked_once(server: ForgeServer, status: int) -> None:
    """The answer's status and message are in the error."""
    server.answers = [
        Answer(status=status, fields={"message": "Validation Failed"}, headers={"Location": server.url})
    ]
    with pytest.raises(ForgeError) as error:
        api(server).ask("GET", "/user")
    assert str(error.value) == f"GitHub answered {status}: Validation Failed"
    assert error.value.status == status
    assert len(server.requests) == 1


def test_a_right_that_is_missing_is_its_own_error(server: ForgeServer) -> None:
    """403 without a limit behind it isn't tried again."""
    server.answers = [Answer(status=403, fields={"message": "Resource not accessible by integration"})]
    with pytest.raises(NotAllowed, match="403: Resource not accessible"):
        api(server).ask("POST", "/user", {})
    assert len(server.requests) == 1


def test_a_forge_that_stays_down_is_given_up(server: ForgeServer) -> None:
    """After four tries the last answer is said."""
    server.answers = [Answer(status=502)] * 4
    with pytest.raises(Unreachable, match=r"^GitHub answered 502; tried 4 times$"):
        api(server).ask("GET", "/user")


def test_an_hour_is_not_waited_for(server: ForgeServer) -> None:
    """A pause beyond a minute is an error that names it."""
    server.answers = [Answer(status=429, headers={"Retry-After": "3600"})]
    with pytest.raises(ForgeError, match="it asks for a pause of 3600 s"):
        api(server).ask("GET", "/user")


def test_nobody_there_is_said(server: ForgeServer) -> None:
    """A port where nothing listens."""
    gone = Api(forge="GitLab", url="http://127.0.0.1:9", headers={}, sleep=lambda _: None)
    with pytest.raises(
        Unreachable, match=r"GitLab can't be reached at http://127\.0\.0\.1:9: .*refused; tried 4"
    ):
        gone.ask("GET", "/user")
    assert server.requests == []


@pytest.mark.parametrize("url", ["file:///etc", "ftp://x", "api.github.com", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Only the web is asked."""
    with pytest.raises(SettingsError, match="it must be an http or https URL"):
        Api(forge="GitHub", url=url, headers={})


def test_the_token_is_in_no_text(server: ForgeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where a server repeats it, nor in what a debugger shows."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    server.answers = [Answer(status=422, fields={"message": f"bad {TOKEN}"})]
    with pytest.raises(ForgeError, match=r"bad \*\*\*") as error:
        api(server).ask("GET", "/user")
    assert TOKEN not in str(error.value) + repr(api(server))


def test_pauses_of_our_own_are_short() -> None:
    """A comment holds no job for longer than some seconds."""
    assert sum(web.WAITS_S) <= 10
