"""Points of a history, from files: runs and baselines.

Rule 1: of many files one that can't be used is left out and named with its reason; a path that doesn't exist
    is an error, as a name may be mistyped.
Rule 2: a folder is searched for JSON; what is neither a run nor a baseline in it is not reported, unless it
    begins as one of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from pytest_energy.baselines.location import Location, store_at
from pytest_energy.baselines.machine import COUNTS_PREFIX
from pytest_energy.baselines.schema import Baseline, from_json_text
from pytest_energy.cli.files import check_joules
from pytest_energy.errors import BaselineError, EnergyError, FormatError, SettingsError
from pytest_energy.history.points import Point, point_of
from pytest_energy.history.tracks import LeftOut
from pytest_energy.report.to_json import MOST_BYTES, read_judgements
from pytest_energy.whole_file import read_whole

_BEGINNING = 200  # characters, in which a run and a baseline name their format


class _Outline(msgspec.Struct):
    """Whether a document is one of ours; nothing else of it is looked at."""

    format: msgspec.Raw = msgspec.Raw()
    tests: msgspec.Raw = msgspec.Raw()
    sessions: msgspec.Raw = msgspec.Raw()


class _Session(msgspec.Struct):
    created: str


class _Sessions(msgspec.Struct):
    """When the sessions of a baseline were made."""

    sessions: list[_Session]


class Foreign(SettingsError):
    """The document is neither a run nor a baseline."""


def points_at(places: Sequence[Location]) -> tuple[list[Point], list[LeftOut]]:
    """The points of files, folders and URLs of baselines, and what could not be used.

    Raises:
        SettingsError: A file isn't there.
        BaselineError: A URL can't be listed.
    """
    points, left_out = points_in_files(one for one in places if isinstance(one, Path))
    for url in (one for one in places if isinstance(one, str)):
        store = store_at(url)
        for place, baseline in store.read_each(store.paths(), is_whole=True, takes_copies=True):
            if isinstance(baseline, BaselineError):
                left_out.append(LeftOut(source=store.shown(place), because=str(baseline)))
            else:
                points += points_of_baseline(baseline, store.shown(place))
    return points, left_out


def points_in_files(paths: Iterable[Path]) -> tuple[list[Point], list[LeftOut]]:
    """The points of the files and folders *paths*, and the files that could not be used.

    Raises:
        SettingsError: One of *paths* isn't there.
    """
    points: list[Point] = []
    left_out: list[LeftOut] = []
    for path, is_named in _files(paths):
        try:
            points += points_in(_content(path), str(path))
        except Foreign as error:
            if is_named:
                left_out.append(LeftOut(source=str(path), because=str(error)))
        except EnergyError as error:
            left_out.append(LeftOut(source=str(path), because=str(error)))
    return points, left_out


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file of *paths*, and whether it was named itself."""
    for path in paths:
        if path.is_dir():
            yield from ((file, False) for file in sorted(path.rglob("*.json")))
        elif path.exists():
            yield path, True
        else:
            raise SettingsError(
                f"{path} doesn't exist; give files written by --energy-out, or a folder of them"
            )


def _content(path: Path) -> bytes:
    try:
        return read_whole(path, MOST_BYTES)
    except OSError as error:
        raise SettingsError(f"it can't be read: {error.strerror or error}") from error


def points_in(content: bytes, source: str) -> list[Point]:
    """The points of a run or a baseline; none of a baseline of counts, which has no joules.

    Raises:
        Foreign: *content* is neither.
        EnergyError: It is one of them, and can't be used.
    """
    if kind_of(content) is Baseline:
        return points_of_baseline(from_json_text(content.decode(), source), source)
    judgements = read_judgements(content.decode(), source)
    for number, judgement in enumerate(judgements):
        check_joules(judgement, f"{source}: tests[{number}] ({judgement.record.test_id})")
    try:
        return [point_of(judgement.record, source, judgement) for judgement in judgements]
    except BaselineError as error:  # the time of a record
        raise FormatError(f"{source}: {error}") from error


def points_of_baseline(baseline: Baseline, source: str) -> list[Point]:
    """The points of the sessions that *baseline* keeps."""
    if baseline.machine_key.startswith(COUNTS_PREFIX):
        return []
    return [point_of(record, source) for record in baseline.entries]


def kind_of(content: bytes) -> type[Baseline] | None:
    """`Baseline`, or `None` for a run.

    Raises:
        Foreign: *content* is neither.
        SettingsError: It begins as one of them, and is broken.
    """
    try:
        content.decode()
        outline = msgspec.json.decode(content, type=_Outline)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as error:
        kind = SettingsError if b'"format"' in content[:_BEGINNING] else Foreign
        raise kind(f"it is not JSON: {error}") from error
    if not bytes(outline.format) or not (bytes(outline.tests) or bytes(outline.sessions)):
        raise Foreign("it is JSON, but neither a run written by --energy-out nor a baseline")
    return None if bytes(outline.tests) else Baseline


def times_in(content: bytes) -> set[str]:
    """When the sessions of a baseline were made; nothing else of it is read.

    Raises:
        Foreign: *content* is none.
    """
    try:
        return {session.created for session in msgspec.json.decode(content, type=_Sessions).sessions}
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Foreign(f"it is not a baseline: {error}") from error
