"""One comment per request and key, which each run updates.

Rule 1: a comment is ours only if our token wrote it and its first line is our mark. Nobody else's is changed.
Rule 2: however many jobs comment at once, one comment stays: the oldest, with the text of the newest run.
Rule 3: a text that is too long is cut between two lines, its folds are closed, and it says where the rest is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_energy.errors import SettingsError
from pytest_energy.forge.services import Comment, Forge
from pytest_energy.report.to_markdown import MARKER

_KEY = re.compile(r"[A-Za-z0-9]([\w.]|-(?!-)){0,49}", re.ASCII)  # two hyphens would end the HTML comment
_MARK = re.compile(
    r"<!-- pytest-energy(?: key=(?P<key>[\w.-]+))?(?: run=(?P<run>\d{1,20})\.(?P<try>\d{1,20}))? -->"
)
_NO_RUN = (0, 0)
_SAFE_URL = re.compile(r"https?://[\w.~:/?#@!$&+,;=%-]+", re.ASCII)
_FOLD = re.compile(r"<(/?)(details|pre)\b")


class Change(StrEnum):
    """What happened to a comment."""

    CREATED = "created"
    UPDATED = "updated"
    LEFT = "left"
    """A newer run has commented already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The first line of a comment: whose it is.

    Attributes:
        key: Tells the comments of several jobs apart; empty if there is one.
        run: Number of the run and of its try: the greater, the newer. Zeros where no service counts runs.
    """

    key: str = ""
    run: tuple[int, int] = _NO_RUN

    def __post_init__(self) -> None:
        if self.key and not _KEY.fullmatch(self.key):
            raise SettingsError(
                f"the key {self.key!r} can't mark a comment: give at most 50 letters, digits, dots, "
                "underscores or single hyphens, such as gpu"
            )

    @classmethod
    def of(cls, body: str) -> "Mark | None":
        """That of a comment, or `None` if it has none."""
        found = _MARK.match(body)
        if found is None:
            return None
        return cls(key=found["key"] or "", run=(int(found["run"] or 0), int(found["try"] or 0)))

    def gives_way_to(self, run: tuple[int, int]) -> bool:
        """Whether the text of *run* is newer; nothing is newer than what a person posts by hand."""
        return self.run != _NO_RUN and run > self.run

    def __str__(self) -> str:
        key = f" key={self.key}" if self.key else ""
        return f"<!-- pytest-energy{key} run={self.run[0]}.{self.run[1]} -->"


def put(forge: Forge, body: str, mark: Mark) -> tuple[Change, Comment]:
    """Have *body*, which begins with *mark*, as the one comment of its kind.

    Raises:
        ForgeError: The forge refuses, or can't be reached.
    """
    login = forge.own_login()
    own = _own(forge, login, mark)
    if any(mark.gives_way_to(run) for _, run in own):
        return Change.LEFT, own[0][0]
    if own:
        updated = forge.update(own[0][0].id, body)
        _delete(forge, [comment for comment, _ in own[1:]])
        return Change.UPDATED, updated
    return _create(forge, body, mark, login)


def _create(forge: Forge, body: str, mark: Mark, login: str) -> tuple[Change, Comment]:
    """Comment, and then look whether another job, or a try whose answer was lost, has done so meanwhile."""
    created = forge.create(body)
    own = _own(forge, login, mark)
    if not own or own[0][0].id == created.id:
        _delete(forge, [comment for comment, run in own[1:] if run == mark.run])
        return Change.CREATED, created
    first, run = own[0]
    is_left = mark.gives_way_to(run)
    kept = first if is_left else forge.update(first.id, body)
    _delete(forge, [comment for comment, its_run in own[1:] if its_run == mark.run])
    return (Change.LEFT if is_left else Change.UPDATED), kept


def _own(forge: Forge, login: str, mark: Mark) -> Sequence[tuple[Comment, tuple[int, int]]]:
    """Our comments of this kind, the oldest first, each with its run."""
    marked = ((one, Mark.of(one.body)) for one in forge.comments() if one.author == login)
    own = [(one, its.run) for one, its in marked if its is not None and its.key == mark.key]
    return sorted(own, key=lambda found: found[0].id)


def _delete(forge: Forge, comments: Sequence[Comment]) -> None:
    for comment in comments:
        forge.delete(comment.id)


def comment_text(report: str, mark: Mark, *, limit: int, report_url: str = "", commit: str = "") -> str:
    """The comment that shows *report*, of at most *limit* characters.

    Args:
        report: What `--energy-out=run.md` wrote.
        mark: Its first line.
        limit: Characters that the forge takes.
        report_url: Where the files of the run are; left out if it is no plain web address.
        commit: What was measured.
    """
    text = f"{mark}\n{report.removeprefix(MARKER).strip()}\n"
    link = f"[Files of this run]({report_url})" if _SAFE_URL.fullmatch(report_url) else ""
    measured = f"commit {commit[:12]}" if re.fullmatch(r"[0-9a-f]{7,64}", commit) else ""
    end = f"\n{', '.join(filter(None, (link, measured)))}\n" if link or measured else ""
    if len(text) + len(end) <= limit:
        return text + end
    where = "under the link below" if link else "in the files of the run"
    note = f"\nThis report is too long for a comment. The whole report is {where}.\n"
    return _cut(text, limit - len(end) - len(note)) + note + end


def _cut(text: str, limit: int) -> str:
    """The first lines of *text* that *limit* has room for, with every fold that is open closed."""
    kept, opened, room = list[str](), list[str](), limit
    for line in text.splitlines(keepends=True):
        opened_after = _opened_after(line, opened)
        if len(line) + len(_closing(opened_after)) > room:
            break
        kept.append(line)
        opened, room = opened_after, room - len(line)
    return "".join(kept) + _closing(opened)


def _opened_after(line: str, opened: Sequence[str]) -> list[str]:
    names = [*opened]
    for slash, name in _FOLD.findall(line):
        if not slash:
            names.append(name)
        elif name in names:
            names.remove(name)
    return names


def _closing(opened: Sequence[str]) -> str:
    return "".join(f"\n</{name}>\n" for name in reversed(opened))
