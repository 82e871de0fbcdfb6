"""Points of a history from git: committed versions of runs and baselines, and their commits.

Rule 1: git is only asked. No hook runs, nothing is written, and what a calling git has set is not passed on.
Rule 2: a baseline keeps its newest sessions, so most of its versions hold nothing that others don't: of each
    version only the sessions' times are looked at, and it is read if the one before it lacks what is new.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pytest_energy.ab.worktree import without_git_variables
from pytest_energy.baselines.schema import Baseline
from pytest_energy.cli.history_files import Foreign, kind_of, points_in, times_in
from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.history.commits import NO_COMMITS, SHORT_LENGTH, Commit, Commits, web_of
from pytest_energy.history.points import Point
from pytest_energy.history.tracks import LeftOut, Track
from pytest_energy.masking import masked
from pytest_energy.report.to_json import MOST_BYTES

_FILE_MODES = {"100644", "100755"}  # not a link, nor another repository
_MOST_BETWEEN = 10  # commits that are listed for a step
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository, by its working tree."""

    root: Path

    def ask(self, *words: str, given: str = "") -> str | None:
        """What git answers, or `None` if it refuses."""
        done = self._run(*words, given=given.encode())
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None

    @contextmanager
    def blobs(self) -> "Iterator[Blobs]":
        """What reads versions of files, by one git for all of them."""
        command = [*self._command, "cat-file", "--batch"]
        environ = without_git_variables(os.environ)
        with subprocess.Popen(  # noqa: S603  # fixed words
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
        ) as process:
            yield Blobs(process)

    @property
    def _command(self) -> list[str]:
        return ["git", "--no-optional-locks", "-c", f"core.hooksPath={os.devnull}", "-C", str(self.root)]

    def _run(self, *words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(  # noqa: S603  # fixed words, and names that git itself has given
                [*self._command, *words],
                input=given,
                capture_output=True,
                check=False,
                env=without_git_variables(os.environ),
            )
        except OSError as error:
            raise SettingsError(
                f"git can't be run: {error.strerror}; install it, or add it to PATH"
            ) from error


class Blobs:
    """Versions of files, read from a `git cat-file --batch`."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def read(self, name: str) -> bytes:
        """The content of the version *name*.

        Raises:
            SettingsError: git has none, as in a partial clone; or it is far too large.
        """
        given, answer = self._process.stdin, self._process.stdout
        if given is None or answer is None:
            raise SettingsError(f"git can't read the version {name[:SHORT_LENGTH]}")
        given.write(f"{name}\n".encode())
        given.flush()
        header = answer.readline().split()
        if len(header) != 3:
            raise SettingsError(f"git doesn't have the version {name[:SHORT_LENGTH]}")
        size = int(header[2])
        content = answer.read(size + 1)[:size]
        if size > MOST_BYTES:
            raise SettingsError(f"it has {size:,} bytes; at most {MOST_BYTES:,} are read")
        return content


def repository_of(folder: Path) -> Repository | None:
    """The repository that *folder* is in, or `None`."""
    try:
        root = Repository(root=folder).ask("rev-parse", "--show-toplevel")
    except SettingsError:
        return None
    return None if root is None else Repository(root=Path(root.rstrip("\n")))


# ---- versions of files ----


def points_in_git(repository: Repository) -> tuple[list[Point], list[LeftOut]]:
    """The points of all committed versions of runs and baselines, and the versions that could not be used."""
    points: list[Point] = []
    left_out: list[LeftOut] = []
    with repository.blobs() as blobs:
        for path, versions in _versions(repository).items():
            reader = _Reader(blobs, path)
            reader.read(versions[::-1])
            points += reader.points
            left_out += reader.left_out
    return points, left_out


def _versions(repository: Repository) -> dict[str, list[str]]:
    """By path, the versions that HEAD's history has of each JSON file, the newest first."""
    answer = repository.ask(
        *("log", "-z", "--format=", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=AM"),
        *("HEAD", "--", "*.json"),
    )
    versions: dict[str, dict[str, None]] = {}
    tokens = iter((answer or "").split("\0"))
    for token in tokens:
        fields = token.strip().split(" ")
        if len(fields) == 5 and fields[0].startswith(":"):
            path = next(tokens, "")
            if fields[1] in _FILE_MODES:
                versions.setdefault(path, {}).setdefault(fields[3])
    return {path: list(blobs) for path, blobs in versions.items()}


class _Reader:
    """Reads versions of one file, and keeps their points and what could not be used."""

    def __init__(self, blobs: Blobs, path: str) -> None:
        self._blobs = blobs
        self._path = path
        self.points: list[Point] = []
        self.left_out: list[LeftOut] = []

    def read(self, versions: Sequence[str]) -> None:
        """Read *versions*, the oldest first; none of a file whose newest one is none of ours."""
        try:
            kind = kind_of(self._blobs.read(versions[-1]))
        except Foreign:
            return
        except SettingsError as error:
            self.left_out.append(LeftOut(source=self._path, because=str(error)))
            return
        for version in self._needed(versions) if kind is Baseline else versions:
            self._read(version)

    def _needed(self, versions: Sequence[str]) -> list[str]:
        """Those of *versions*, the oldest first, that have all sessions of all of them: rule 2."""
        times = [self._times(version) for version in versions]
        needed, known = [], set[str]()
        for version, own, before in zip(versions[::-1], times[::-1], [*times[-2::-1], set()], strict=True):
            if own is None or own - known - (before or set()):
                needed.append(version)
                known |= own or set()
        return needed

    def _times(self, version: str) -> set[str] | None:
        try:
            return times_in(self._blobs.read(version))
        except SettingsError:
            return None

    def _read(self, version: str) -> None:
        source = f"{self._path} ({version[:SHORT_LENGTH]})"
        try:
            self.points += points_in(self._blobs.read(version), source)
        except EnergyError as error:
            self.left_out.append(LeftOut(source=source, because=str(error)))


# ---- commits ----


def commits_of(repository: Repository | None, points: Iterable[Point]) -> Commits:
    """What *repository* knows of the commits that *points* were made at."""
    names = sorted({point.commit for point in points if point.commit and _HEX.issuperset(point.commit)})
    if repository is None or not names:
        return NO_COMMITS
    objects = repository.ask("cat-file", "--batch-check", given="".join(f"{name}\n" for name in names)) or ""
    names = [line.split(" ")[0] for line in objects.splitlines() if line.split(" ")[1:2] == ["commit"]]
    if not names:
        return NO_COMMITS
    listed = repository.ask(
        *("log", "--no-walk=unsorted", "--stdin", "-z", "--format=%H %ct %s"), given="\n".join(names) + "\n"
    )
    known = {commit.name: commit for commit in _commits(listed)}
    return Commits(
        known=known,
        ranks=_ranks(repository, known),
        line=frozenset(known).intersection((repository.ask("rev-list", "HEAD") or "").split()),
        web=web_of(repository.ask("remote", "get-url", "origin") or ""),
    )


def _ranks(repository: Repository, known: Mapping[str, Commit]) -> dict[str, int]:
    """Place of each commit in an order in which none is before one that it descends from."""
    given = "".join(f"{name}\n" for name in known)
    answer = repository.ask("rev-list", "--date-order", "--reverse", "--stdin", given=given) or ""
    ordered = (name for name in answer.split() if name in known)
    return {name: rank for rank, name in enumerate(ordered)}


def _commits(answer: str | None) -> Iterator[Commit]:
    for line in (answer or "").split("\0"):
        name, _, rest = line.strip().partition(" ")
        seconds, _, subject = rest.partition(" ")
        if seconds.isdecimal():
            yield Commit(
                name=name, subject=masked(subject), created=datetime.fromtimestamp(int(seconds), UTC)
            )


def commits_between(
    repository: Repository | None, tracks: Iterable[Track], commits: Commits
) -> dict[tuple[str, str], tuple[Commit, ...]]:
    """For each step of *tracks*, the commits that came with it; its newest ten where they are more."""
    if repository is None:
        return {}
    pairs = {
        (step.before.point.commit, step.after.point.commit): None for track in tracks for step in track.steps
    }
    return {
        pair: tuple(_commits(_log(repository, *pair)))
        for pair in pairs
        if pair[0] != pair[1] and commits.known.keys() >= {*pair}
    }


def _log(repository: Repository, before: str, after: str) -> str | None:
    count = f"--max-count={_MOST_BETWEEN}"
    return repository.ask("log", count, "-z", "--format=%H %ct %s", f"{before}..{after}", "--")
