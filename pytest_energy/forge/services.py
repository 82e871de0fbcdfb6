"""Comments as GitHub and GitLab have them; other forges whose API is GitHub's (Gitea, Forgejo) work like it.

Source:
    GitHub, "REST API endpoints for issue comments"; GitLab, "Notes API: Merge requests".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

from pytest_energy.forge.web import Api, ForgeError, Unreachable

_PER_PAGE = 100
_MOST_PAGES = 100  # GitHub takes 2,500 comments on a pull request, GitLab 5,000
_BOT = "github-actions[bot]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment.

    Attributes:
        author: Login of who wrote it.
        url: Where it can be read; empty if that isn't known.
    """

    id: int
    author: str
    body: str
    url: str = ""


class Forge(Protocol):
    """One pull request or merge request, and its comments."""

    @property
    def name(self) -> str:
        """Such as `pull request 7 of owner/name`."""
        ...

    @property
    def most_characters(self) -> int:
        """Of a comment."""
        ...

    def own_login(self) -> str:
        """Login that the token's comments are signed with."""
        ...

    def comments(self) -> Iterator[Comment]: ...

    def create(self, body: str) -> Comment: ...

    def update(self, comment_id: int, body: str) -> Comment: ...

    def delete(self, comment_id: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """A pull request of GitHub."""

    api: Api
    repository: str
    number: int
    most_characters: int = 65_536

    @property
    def name(self) -> str:
        return f"pull request {self.number} of {self.repository}"

    @property
    def _repository_path(self) -> str:
        return f"/repos/{quote(self.repository)}"

    @property
    def _comments_path(self) -> str:
        return f"{self._repository_path}/issues/{self.number}/comments"

    def own_login(self) -> str:
        """A person's token may ask the REST API; that of an app, as a job's is, only GraphQL."""
        return _login_if_known(self._login_by_rest) or _login_if_known(self._login_by_graphql) or _BOT

    def _login_by_rest(self) -> str:
        return _text(self.api.ask("GET", "/user"), "login")

    def _login_by_graphql(self) -> str:
        answer = self._graphql.ask("POST", "/graphql", {"query": "{viewer{login}}"})
        return _text(_fields(_fields(answer).get("data")).get("viewer"), "login")

    @property
    def _graphql(self) -> Api:
        """Beside the REST API: `/graphql`, or `/api/graphql` beside `/api/v3` of a company's server."""
        api = self.api
        url = api.url.rstrip("/").removesuffix("/v3")
        return Api(forge=api.forge, url=url, headers=api.headers, sleep=api.sleep)

    def comments(self) -> Iterator[Comment]:
        return map(self._comment, _all_pages(self.api, self._comments_path))

    def create(self, body: str) -> Comment:
        return self._comment(self.api.ask("POST", self._comments_path, {"body": body}))

    def update(self, comment_id: int, body: str) -> Comment:
        return self._comment(self.api.ask("PATCH", self._comment_path(comment_id), {"body": body}))

    def delete(self, comment_id: int) -> None:
        _delete(self.api, self._comment_path(comment_id))

    def _comment_path(self, comment_id: int) -> str:
        return f"{self._repository_path}/issues/comments/{comment_id}"

    @staticmethod
    def _comment(answer: object) -> Comment:
        fields = _fields(answer)
        user = _fields(fields.get("user") or {})  # an account that was removed is none
        url = _http_url(fields.get("html_url"))
        return Comment(id=_id(fields), author=_login(user, "login"), body=_body(fields), url=url)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLab:
    """A merge request of GitLab.

    Attributes:
        project: Number of its project, or its path.
        page: Where a person reads the merge request; empty if that isn't known.
    """

    api: Api
    project: str
    number: int
    page: str = ""
    most_characters: int = 1_000_000

    @property
    def name(self) -> str:
        return f"merge request {self.number} of project {self.project}"

    @property
    def _notes_path(self) -> str:
        return f"/projects/{quote(self.project, safe='')}/merge_requests/{self.number}/notes"

    def own_login(self) -> str:
        return _text(self.api.ask("GET", "/user"), "username")

    def comments(self) -> Iterator[Comment]:
        return map(self._comment, _all_pages(self.api, self._notes_path))

    def create(self, body: str) -> Comment:
        return self._comment(self.api.ask("POST", self._notes_path, {"body": body}))

    def update(self, comment_id: int, body: str) -> Comment:
        return self._comment(self.api.ask("PUT", f"{self._notes_path}/{comment_id}", {"body": body}))

    def delete(self, comment_id: int) -> None:
        _delete(self.api, f"{self._notes_path}/{comment_id}")

    def _comment(self, answer: object) -> Comment:
        fields = _fields(answer)
        author = _login(_fields(fields.get("author") or {}), "username")
        note_id = _id(fields)
        url = f"{self.page}#note_{note_id}" if self.page else ""
        return Comment(id=note_id, author=author, body=_body(fields), url=url)


def _login_if_known(login: Callable[[], str]) -> str:
    """What *login* gives; empty if the forge answers that this token has no such thing."""
    try:
        return login()
    except Unreachable:
        raise
    except ForgeError:
        return ""


def _all_pages(api: Api, path: str) -> Iterator[object]:
    """Until a page is empty: a forge may give fewer than were asked for."""
    for page in range(1, _MOST_PAGES + 1):
        entries = api.ask("GET", f"{path}?per_page={_PER_PAGE}&page={page}")
        if not isinstance(entries, list):
            raise ForgeError(f"{api.forge} answered with something other than a list of comments")
        if not entries:
            return
        yield from entries


def _delete(api: Api, path: str) -> None:
    try:
        api.ask("DELETE", path)
    except ForgeError as error:
        if error.status not in {404, 410}:  # somebody else was faster
            raise


def _fields(answer: object) -> Mapping[str, object]:
    if not isinstance(answer, dict):
        raise ForgeError("the forge answered with something other than an object")
    return answer


def _text(answer: object, name: str) -> str:
    text = _fields(answer).get(name)
    if not isinstance(text, str) or not text:
        raise ForgeError(f"the forge's answer has no {name}")
    return text


def _id(fields: Mapping[str, object]) -> int:
    number = fields.get("id")
    if not isinstance(number, int):
        raise ForgeError("the forge's answer has no id of a comment")
    return number


def _login(fields: Mapping[str, object], name: str) -> str:
    return str(fields.get(name) or "")


def _body(fields: Mapping[str, object]) -> str:
    return str(fields.get("body") or "")


def _http_url(value: object) -> str:
    return value if isinstance(value, str) and urlsplit(value).scheme in {"http", "https"} else ""
