"""Requests to a forge's API: JSON in, JSON out.

Rule 1: what may work the next time is tried again (no connection, 5xx, a limit on requests), a few times and
not for long; nothing else is.
Rule 2: the token leaves in one header, to the API's own host: a redirect is an error. No text shows it.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.masking import masked_foreign

TIMEOUT_S = 30.0
WAITS_S = (1.0, 2.0, 4.0)
"""Pauses between the tries, where the forge asks for none."""

_LONGEST_WAIT_S = 60.0  # a job isn't held longer for a comment
_MOST_BYTES = 64 * 2**20  # a page of 100 comments of 65,536 characters of 4 bytes has 26 MB
_MESSAGE_LENGTH = 200
_NOT_ALLOWED = 403


class ForgeError(EnergyError):
    """The forge didn't do what it was asked for.

    Attributes:
        status: Of its answer; `None` if none came.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class NotAllowed(ForgeError):
    """The token lacks the permission, as for a pull request from a fork."""


class Unreachable(ForgeError):
    """The forge is down, or takes no more requests for now."""


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917  # as the library calls it
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Leave a redirect as the error that it is then."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Api:
    """The API of one forge.

    Attributes:
        forge: Its name, for messages.
        url: Where its paths begin.
        headers: Of each request, the token among them.
        sleep: Waits for so many seconds.
    """

    forge: str
    url: str
    headers: Mapping[str, str]
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise SettingsError(f"the API of {self.forge} is {self.url!r}: it must be an http or https URL")

    def ask(self, method: str, path: str, fields: Mapping[str, object] | None = None) -> object:
        """What the forge answers, from JSON; `None` if the answer is empty.

        Raises:
            NotAllowed: It refuses with 403.
            ForgeError: It refuses otherwise, can't be reached, or answers something else than JSON.
        """
        for wait_s in WAITS_S:
            try:
                return self._ask_once(method, path, fields)
            except _Passing as passing:
                self.sleep(wait_s if passing.wait_s is None else passing.wait_s)
        try:
            return self._ask_once(method, path, fields)
        except _Passing as passing:
            raise Unreachable(f"{passing}; tried {len(WAITS_S) + 1} times", passing.status) from None

    def _ask_once(self, method: str, path: str, fields: Mapping[str, object] | None) -> object:
        content = None if fields is None else json.dumps(fields).encode()
        request = Request(f"{self.url.rstrip('/')}{path}", content, dict(self.headers), method=method)  # noqa: S310
        request.add_header("Content-Type", "application/json")
        try:
            with build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S) as answer:
                return self._parsed(answer.read(_MOST_BYTES), path)
        except HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except (OSError, HTTPException) as error:
            because = masked_foreign(str(getattr(error, "reason", error) or type(error).__name__))
            raise _Passing(f"{self.forge} can't be reached at {self.url}: {because}") from None

    def _parsed(self, content: bytes, path: str) -> object:
        try:
            return json.loads(content) if content.strip() else None
        except ValueError as error:
            raise ForgeError(
                f"{self.forge} answered {path} with something other than JSON; is {self.url} its API?"
            ) from error

    def _refusal(self, error: HTTPError) -> ForgeError:
        message = _message(error)
        text = f"{self.forge} answered {error.code}{': ' if message else ''}{message}"
        wait_s = _wait_asked_for_s(error.headers)
        is_limit = (
            error.code == 429 or wait_s is not None or error.headers.get("x-ratelimit-remaining") == "0"
        )
        if error.code >= 500 or (error.code in {403, 429} and is_limit):
            if (wait_s or 0.0) > _LONGEST_WAIT_S:
                return ForgeError(f"{text}; it asks for a pause of {wait_s:.0f} s", error.code)
            return _Passing(text, error.code, wait_s)
        return (NotAllowed if error.code == _NOT_ALLOWED else ForgeError)(text, error.code)


class _Passing(ForgeError):
    """What may be otherwise at the next try, after *wait_s* if the forge named a pause."""

    def __init__(self, text: str, status: int | None = None, wait_s: float | None = None) -> None:
        super().__init__(text, status)
        self.wait_s = wait_s


def _wait_asked_for_s(headers: Message) -> float | None:
    text = headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _message(error: HTTPError) -> str:
    """What the forge says of its refusal; both have it under `message`, GitLab at times under `error`."""
    try:
        fields = json.loads(error.read(_MOST_BYTES))
    except (ValueError, OSError, HTTPException):
        return ""
    message = fields.get("message") or fields.get("error") if isinstance(fields, dict) else None
    return "" if message is None else masked_foreign(str(message))[:_MESSAGE_LENGTH]
