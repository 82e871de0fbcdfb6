"""Baselines of a fleet behind a URL: an object a session, never rewritten; no lock.

Rule 1: `<URL>/<machine key>/<path of the test file>/<test name>/<name of a session>` (`session_names`). The
listing says which sessions count; only those are read.
Rule 2: the answer is that of a folder to which the same sessions were added in the same order.
Rule 3: a writer adds an object and touches no other. Only `reduce` removes, and only what it has seen.
Rule 4: a damaged object is left out, and named. Where no sound one is left, that is an error: it is no absent
baseline. So one bad object stops no fleet, and hides no baseline.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePath
from types import MappingProxyType

from pytest_energy.baselines.levels import extended, kept
from pytest_energy.baselines.machine import check_comparable
from pytest_energy.baselines.places import (
    CALIBRATION_NAME,
    machine_prefix_of,
    prefix_of,
    test_prefix_of,
)
from pytest_energy.baselines.protocol import Mode
from pytest_energy.baselines.schema import (
    KEPT_COUNT,
    Baseline,
    as_stored,
    check_times,
    from_json_text,
)
from pytest_energy.baselines.session_copies import COPIES_NAME, packed, unpacked
from pytest_energy.baselines.session_listing import REMOVE, Listing, listing_of
from pytest_energy.baselines.session_names import (
    NewSession,
    SessionName,
    identity_of,
    new_session,
    newest_of,
    next_name,
    parsed,
    since_replaced,
)
from pytest_energy.baselines.url_files import UrlFiles
from pytest_energy.errors import BaselineError, NotComparable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import JoinedAs, Record

_START_ANEW = "; to start anew, use --energy-baseline=replace or accept --replace"
_TESTS_AT_ONCE = 16  # each with its listing, then its sessions
_TRIES = 5  # what was listed may be removed before it is read, by a prune; not five times running


@dataclass(frozen=True, slots=True)
class _Session:
    """A session that was read, its object, and its name as it stands."""

    text: str
    name: SessionName
    record: Record


class _Gone(Exception):  # not an error: it is listed again
    """Objects that were listed are not there any more."""


@dataclass(frozen=True)
class ObjectStore:
    """The baselines behind a URL.

    Attributes:
        url: Of any file system that fsspec knows.
        keep: Sessions of a baseline that count, as many as a folder keeps.
        tell: Called with what was left out of a baseline, and why.
        now: What time it is, with its zone.
    """

    url: str
    keep: int = field(default=KEPT_COUNT, kw_only=True)
    tell: Callable[[str], None] = field(default=lambda _: None, kw_only=True)
    now: Callable[[], datetime] = field(default=MACHINE_TIME.utc_now, kw_only=True)
    _files: UrlFiles = field(init=False)
    _folders: dict[PurePath, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_files", UrlFiles(self.url))

    @property
    def name(self) -> str:
        return self._files.name

    def is_there(self) -> bool:
        return True

    def shown(self, path: PurePath) -> str:
        return self._files.shown(path)

    # ---- places ----

    def path(self, machine_key: str, test_id: str) -> PurePath:
        return prefix_of(machine_key, test_id)

    def paths(self) -> tuple[PurePath, ...]:
        found = {path.parent for path in self._files.all_files() if path.suffix == ".json"}
        return tuple(sorted(path for path in found if len(path.parts) > 1))  # a machine's has no sessions

    def paths_of(self, test_id: str) -> tuple[PurePath, ...]:
        place = test_prefix_of(test_id)
        machines = map(PurePath, self._folders_in(PurePath()))
        return tuple(
            machine / place for machine in machines if place.name in self._folders_in(machine / place.parent)
        )

    def other_machines(self, test_id: str, *, besides: str | None = None) -> tuple[str, ...]:
        own = None if besides is None else machine_prefix_of(besides).name
        machines = (place.parts[0] for place in self.paths_of(test_id))
        return tuple(machine for machine in machines if machine != own)

    def _folders_in(self, folder: PurePath) -> tuple[str, ...]:
        """Names of folders, looked up once: what a run says of other machines may be a minute old."""
        if folder not in self._folders:
            self._folders[folder] = self._files.folders(folder)
        return self._folders[folder]

    # ---- reading ----

    def load(self, machine_key: str, test_id: str) -> Baseline | None:
        listing, sessions = self._sessions(self.path(machine_key, test_id), keep=self.keep)
        self._tell(listing)
        return _baseline(sessions)

    def load_each(self, machine_key: str, test_ids: Iterable[str]) -> Iterator[tuple[str, Baseline | None]]:
        with ThreadPoolExecutor(_TESTS_AT_ONCE) as pool:
            yield from pool.map(lambda test_id: (test_id, self.load(machine_key, test_id)), test_ids)

    def read(self, path: PurePath) -> Baseline:
        listing, sessions = self._sessions(path, keep=self.keep)
        self._tell(listing)
        return self._there(path, sessions)

    def read_whole(self, path: PurePath, *, takes_copies: bool = False) -> Baseline:
        """Every session at *path* that stands, also those that a folder would have removed by now.

        Args:
            path: One of `paths()`.
            takes_copies: The copies that `index` has made do for objects, which are then not looked at.

        Raises:
            BaselineError: An object is damaged; it names all.
        """
        listing, sessions = self._sessions(path, keep=None, takes_copies=takes_copies)
        if listing.damaged:
            raise BaselineError("\n".join(listing.damaged.values()))
        return self._there(path, sessions)

    def read_each(
        self, paths: Iterable[PurePath], *, is_whole: bool = False, takes_copies: bool = False
    ) -> Iterator[tuple[PurePath, Baseline | BaselineError]]:
        def read(path: PurePath) -> tuple[PurePath, Baseline | BaselineError]:
            try:
                if is_whole:
                    return path, self.read_whole(path, takes_copies=takes_copies)
                return path, self.read(path)
            except BaselineError as error:
                return path, error

        with ThreadPoolExecutor(_TESTS_AT_ONCE) as pool:
            yield from pool.map(read, paths)

    def test_ids(self) -> dict[PurePath, str]:
        ids = {}
        for path, baseline in self.read_each(self.paths()):
            if isinstance(baseline, BaselineError):
                raise baseline
            ids[path] = baseline.test_id
        return ids

    def _there(self, path: PurePath, sessions: Sequence[_Session]) -> Baseline:
        baseline = _baseline(sessions)
        if baseline is None:
            raise BaselineError(f"{self.shown(path)} has no session")
        return baseline

    def _tell(self, listing: Listing) -> None:
        for text in listing.damaged.values():
            self.tell(f"left out of its baseline: {text}")

    def index(self, path: PurePath) -> int:
        """Copy all sessions at *path* into one object; how many.

        Raises:
            BaselineError: They can't be read, or the object can't be written.
        """
        texts = [*self._listing(path).names]
        contents = self._files.contents([path / text for text in texts])
        copies = {one.name: content for one, content in contents.items() if _is_text(content)}
        self._files.put(path / COPIES_NAME, packed(copies))
        return len(copies)

    def _copies(self, path: PurePath) -> dict[PurePath, bytes]:
        content = self._files.contents([path / COPIES_NAME]).get(path / COPIES_NAME, b"")
        return {path / text: one for text, one in unpacked(content).items()}

    def _sessions(
        self, path: PurePath, *, keep: int | None, takes_copies: bool = False
    ) -> tuple[Listing, tuple[_Session, ...]]:
        """What is listed at *path*, and the newest *keep* sessions that count, or all that stand.

        Raises:
            BaselineError: It can't be read, or everything in it is damaged.
        """
        for _ in range(_TRIES):
            try:
                listing = self._listing(path)
                copies = self._copies(path) if takes_copies and listing.has_copies else {}
                listing, sessions = self._read_listed(path, listing, keep, {}, copies)
            except _Gone:
                continue
            if listing.damaged and not sessions:
                raise BaselineError("\n".join(["no session can be used:", *listing.damaged.values()]))
            return listing, sessions
        raise BaselineError(f"{self.shown(path)} changed {_TRIES} times while it was read; run again")

    def _listing(self, path: PurePath) -> Listing:
        return listing_of(self._files.files(path), self.shown(path))

    def _read_listed(
        self,
        path: PurePath,
        listing: Listing,
        keep: int | None,
        known: dict[str, Record],
        copies: Mapping[PurePath, bytes] = MappingProxyType({}),
    ) -> tuple[Listing, tuple[_Session, ...]]:
        """The sessions of *listing*; each that turns out to be damaged gives its place to another.

        Args:
            path: Of the baseline.
            listing: What it has.
            keep: How many count, or `None` for all.
            known: Records by their objects, which need not be read; what is read joins them.
            copies: What is in some of the objects.

        Raises:
            _Gone: One was removed since it was listed.
        """
        while True:
            standing = listing.standing
            chosen = standing if keep is None else kept(standing, keep)
            texts = listing.texts_of(chosen)
            unread = [path / text for text in texts if text not in known]
            damaged = self._read_into(known, unread, copies)
            if not damaged:
                sessions = tuple(
                    _Session(text, name, replace(known[text], joined_as=name.joined_as))
                    for text, name in zip(texts, chosen, strict=True)
                )
                damaged = self._misfits(path, sessions)
                if not damaged:
                    return listing, sessions
            listing = listing.without(damaged)

    def _read_into(
        self, known: dict[str, Record], paths: Sequence[PurePath], copies: Mapping[PurePath, bytes]
    ) -> dict[str, str]:
        """Read the objects *paths* into *known*; what is wrong with those that are damaged.

        Raises:
            _Gone: One was removed since it was listed.
        """
        contents = {**self._files.contents([path for path in paths if path not in copies]), **copies}
        damaged = {}
        for path in paths:
            if path not in contents:
                raise _Gone
            try:
                known[path.name] = self._record(contents[path], path, self.shown(path))
            except BaselineError as error:
                damaged[path.name] = str(error)
        return damaged

    def _record(self, content: bytes, path: PurePath, source: str) -> Record:
        try:
            baseline = from_json_text(content.decode("utf-8"), source, how_to_mend=REMOVE)
            check_times(baseline.entries, self.now())
        except UnicodeDecodeError as error:
            raise BaselineError(f"{source} is not text: byte {error.start}; {REMOVE}") from error
        record, name = baseline.entries[0], parsed(path.name)
        place = prefix_of(baseline.machine_key, baseline.test_id)
        if place != path.parent:
            raise BaselineError(
                f"{source} holds a session of {baseline.test_id!r} on {baseline.machine_key!r}, "
                f"whose place is {self.shown(place)}; move it there or {REMOVE}"
            )
        if len(baseline.entries) != 1 or name is None or identity_of(content) != name.identity:
            raise BaselineError(f"{source} holds another session than its name says; {REMOVE}")
        return record

    def _misfits(self, path: PurePath, sessions: Sequence[_Session]) -> dict[str, str]:
        """Those of *sessions* that can't be compared with the first, as writers that raced may leave them."""
        misfits = {}
        for one in sessions[1:]:
            try:
                check_comparable(sessions[0].record, one.record)
            except NotComparable as error:
                source = self.shown(path / one.text)
                misfits[one.text] = (
                    f"{source} can't be compared with the sessions before it: {error}; {REMOVE}"
                )
        return misfits

    # ---- writing ----

    def write(
        self, machine_key: str, test_id: str, records: Sequence[Record], mode: Mode, keep: int = KEPT_COUNT
    ) -> Baseline:
        path = self.path(machine_key, test_id)
        fresh = [new_session(as_stored(record)) for record in records]
        check_times([one.record for one in fresh], self.now())
        listing, old = self._listing(path), tuple[_Session, ...]()
        if mode == "add":
            listing, old = self._sessions(path, keep=keep)
            self._tell(listing)
        entries = kept(extended([one.record for one in old], [one.record for one in fresh]), keep)
        self._check(path, machine_key, test_id, entries, is_added=bool(old))
        known, names = {one.text: one.record for one in old}, dict(listing.names)
        for name, new in _joining(listing, fresh, mode):
            self._files.put(path / str(name), new.content)
            known[str(name)], names[str(name)] = new.record, name
        _, now = self._read_listed(path, replace(listing, names=names), keep, known)
        return self._there(path, now)

    def _check(
        self, path: PurePath, machine_key: str, test_id: str, entries: tuple[Record, ...], *, is_added: bool
    ) -> None:
        try:
            Baseline(test_id=test_id, machine_key=machine_key, entries=entries)
        except BaselineError as error:
            can_replace = is_added and isinstance(error.__cause__, NotComparable)
            advice = _START_ANEW if can_replace else ""
            raise BaselineError(f"{self.shown(path)} was not written: {error}{advice}") from error

    def merge(self, baseline: Baseline) -> int:
        path = self.path(baseline.machine_key, baseline.test_id)
        listing = self._listing(path)
        there = {name.identity for name in listing.names.values()}
        previous, contents = None, {}
        for new in map(new_session, baseline.entries):
            name = next_name(new, "add", after=previous)
            if name.identity not in there:
                contents[path / str(name)] = new.content
            previous = name
        self._files.put_each(contents)
        return len(contents)

    def reduce(self, path: PurePath, choose: Callable[[Baseline], Sequence[Record]]) -> int:
        listing, sessions = self._sessions(path, keep=None)
        if listing.damaged:
            raise BaselineError("\n".join(listing.damaged.values()))
        staying = {id(record) for record in choose(self._there(path, sessions))}
        ids = {one.name.identity for one in sessions if id(one.record) in staying}
        if len(ids) == len(sessions):
            return 0
        names = listing.names.items()
        current = {one.order for one in since_replaced(listing.names.values())}
        before = [path / text for text, name in names if name.order not in current]
        gone = [path / text for text, name in names if name.order in current and name.identity not in ids]
        if listing.has_copies and not ids:
            gone.append(path / COPIES_NAME)
        self._files.remove(before)  # first: nothing that was replaced may count again, whatever happens next
        self._files.remove(gone)
        return len(sessions) - len(ids)

    # ---- calibrations ----

    def calibration_path(self, machine_key: str) -> PurePath:
        return machine_prefix_of(machine_key) / CALIBRATION_NAME

    def calibration_paths(self) -> tuple[PurePath, ...]:
        folders = [PurePath(name) for name in self._files.folders(PurePath())]
        with ThreadPoolExecutor(_TESTS_AT_ONCE) as pool:
            found = pool.map(self._files.files, folders)
            return tuple(
                folder / CALIBRATION_NAME
                for folder, files in zip(folders, found, strict=True)
                if any(one.name == CALIBRATION_NAME for one in files)
            )

    def content(self, path: PurePath, most_bytes: int) -> bytes:
        content = self._files.contents([path]).get(path)
        if content is None:
            raise FileNotFoundError(f"{self.shown(path)} is gone")
        if len(content) > most_bytes:
            raise OSError(f"it has {len(content):,} bytes, but at most {most_bytes:,} are read")
        return content

    def put(self, path: PurePath, content: bytes) -> None:
        self._files.put(path, content)


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _baseline(sessions: Sequence[_Session]) -> Baseline | None:
    if not sessions:
        return None
    first = sessions[0].record
    return Baseline(
        test_id=first.test_id,
        machine_key=first.machine.key,
        entries=tuple(one.record for one in sessions),
    )


def _joining(
    listing: Listing, fresh: Sequence[NewSession], mode: Mode
) -> Iterator[tuple[SessionName, NewSession]]:
    """The objects that are to be written, by name: none for a session that is there as it is to be."""
    standing = {one.identity: one for one in listing.standing}
    as_wanted = [(one.identity, one.record.joined_as) for one in fresh]
    if mode == "replace" and [(one.identity, one.joined_as) for one in standing.values()] == as_wanted:
        return
    newest = newest_of(listing.names.values())
    for new in fresh:
        stored = standing.get(new.identity) if mode == "add" else None
        is_start = new.record.joined_as is JoinedAs.LEVEL
        if stored is None or (is_start and stored.joined_as is not JoinedAs.LEVEL):
            newest = next_name(new, mode, after=newest)
            yield newest, new
        mode = "add"
