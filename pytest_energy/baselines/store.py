"""Baselines as files in a folder, for version control: written whole or not at all.

Rule 1: `<folder>/<machine key>/<path of the test file>/<test name>.json` (`places`).
Rule 2: the old file is there, whole, until the new one is, and both are valid at any moment.
Rule 3: what is read was looked at first: its size, and that no session in it is from the future.
Rule 4: the folder holds baselines and nothing else: it is its own lock, and a leftover of a killed writer
goes with the next write.
Rule 5: what is no file in the place of one, and a link to nowhere, is an error: it is no absent baseline.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePath

from pytest_energy.baselines.folder_lock import locked
from pytest_energy.baselines.levels import extended, kept
from pytest_energy.baselines.places import CALIBRATION_NAME, name_of, path_of
from pytest_energy.baselines.protocol import Mode
from pytest_energy.baselines.schema import (
    HOW_TO_MEND,
    KEPT_COUNT,
    MOST_CHARACTERS,
    Baseline,
    check_times,
    from_json_text,
    to_json_text,
)
from pytest_energy.errors import BaselineError, NotComparable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Record
from pytest_energy.whole_file import (
    NotAFile,
    check_file,
    make_folder,
    read_whole,
    remove_leftovers,
    replace_whole,
    sync_folder,
    write_whole,
)

_OTHER_FOLDER = "name another folder (pytest: --energy-baselines, pytest-energy: --baselines)"
_START_ANEW = "; to start anew, use --energy-baseline=replace or accept --replace"

# Bytes in which a file of ours has told whose it is: it is the third line, and ids have some hundred bytes.
_HEAD_BYTES = 8192
_ID_LINE = re.compile(rb'^  "id": (".*"),$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Store:
    """The baselines in one folder, which need not be there yet.

    Writers on one machine take turns (`folder_lock`); readers need not.

    Attributes:
        folder: Where the baselines are.
        lock_timeout_s: Seconds to wait for another writer; one write takes milliseconds.
        now: What time it is, with its zone.
    """

    folder: Path
    lock_timeout_s: float = field(default=60.0, kw_only=True)
    now: Callable[[], datetime] = field(default=MACHINE_TIME.utc_now, kw_only=True)

    @property
    def name(self) -> str:
        return str(self.folder)

    def is_there(self) -> bool:
        return self.folder.exists()

    def shown(self, path: PurePath) -> str:
        return str(path)

    def path(self, machine_key: str, test_id: str) -> Path:
        """File of the baseline of *test_id* on *machine_key*, whether it is there or not."""
        return self.machine_folder(machine_key) / path_of(test_id)

    def machine_folder(self, machine_key: str) -> Path:
        """Where what is kept of *machine_key* is."""
        return self.folder / name_of(machine_key)

    def calibration_path(self, machine_key: str) -> Path:
        """File of the calibration of a machine, whether it is there or not."""
        return self.machine_folder(machine_key) / CALIBRATION_NAME

    def calibration_paths(self) -> tuple[Path, ...]:
        """Files of all calibrations in the folder, sorted.

        Raises:
            BaselineError: The folder can't be listed.
        """
        with _may_fail("list", self.folder, root=self.folder):
            _refuse_broken_link(self.folder)
            return tuple(sorted(self.folder.glob(f"*/{CALIBRATION_NAME}")))

    def load(self, machine_key: str, test_id: str) -> Baseline | None:
        """The baseline of *test_id* on *machine_key*, or `None` if there is none.

        Raises:
            BaselineError: The file can't be read, is no baseline, or is another test's.
        """
        path = self.path(machine_key, test_id)
        baseline = self._content(path)
        if baseline is None:
            return None
        if (baseline.machine_key, baseline.test_id) != (machine_key, test_id):
            raise self._misplaced(baseline, path)
        return baseline

    def load_each(self, machine_key: str, test_ids: Iterable[str]) -> Iterator[tuple[str, Baseline | None]]:
        for test_id in test_ids:
            yield test_id, self.load(machine_key, test_id)

    def read_each(
        self,
        paths: Iterable[PurePath],
        *,
        is_whole: bool = False,  # noqa: ARG002  # a file has what it has
        takes_copies: bool = False,  # noqa: ARG002
    ) -> Iterator[tuple[PurePath, Baseline | BaselineError]]:
        for path in paths:
            try:
                yield path, self.read(path)
            except BaselineError as error:
                yield path, error

    def test_ids(self) -> dict[PurePath, str]:
        """The test of each of `paths()`; the rest of the files is not looked at.

        Raises:
            BaselineError: One can't be read, or it is broken before the id.
        """
        return {path: self.test_id_of(path) for path in self.paths()}

    def read(self, path: PurePath) -> Baseline:
        """The baseline in the file *path*, one of `paths()`.

        Raises:
            BaselineError: As for `load`, and if the file is not there.
        """
        baseline = self._content(Path(path))
        if baseline is None:
            raise BaselineError(f"{path} doesn't exist")
        place = self.path(baseline.machine_key, baseline.test_id)
        if os.path.realpath(place) != os.path.realpath(path):
            raise self._misplaced(baseline, path)
        return baseline

    def _content(self, path: Path) -> Baseline | None:
        text = _text_in(path, self.folder)
        if text is None:
            return None
        baseline = from_json_text(text, str(path))
        self._check_times(baseline.entries, path)
        return baseline

    def _check_times(self, sessions: Sequence[Record], path: Path) -> None:
        try:
            check_times(sessions, self.now())
        except BaselineError as error:
            raise BaselineError(f"{path}: {error}") from error

    def test_id_of(self, path: Path) -> str:
        """The id of the test that the file *path*, one of `paths()`, is of; the rest of it is not looked at.

        Raises:
            BaselineError: The file can't be read, or it is broken before the id.
        """
        with _may_fail("read", path):
            check_file(path)
            with path.open("rb") as file:
                line = _ID_LINE.search(file.read(_HEAD_BYTES))
        if line is not None:
            with suppress(ValueError):
                return str(json.loads(line[1]))
        return self.read(path).test_id

    def paths_of(self, test_id: str) -> tuple[Path, ...]:
        """Files of the baselines of *test_id*, one a machine, sorted.

        Raises:
            BaselineError: The folder can't be listed.
        """
        path_in_machine = path_of(test_id)
        return tuple(self.folder / name / path_in_machine for name in self.other_machines(test_id))

    def paths(self) -> tuple[Path, ...]:
        """Files of all baselines in the folder, sorted.

        Raises:
            BaselineError: A folder can't be listed.
        """
        with _may_fail("list", self.folder, root=self.folder):
            _refuse_broken_link(self.folder)
            calibrations = {*self.folder.glob(f"*/{CALIBRATION_NAME}")}
            return tuple(sorted(path for path in _json_files(self.folder) if path not in calibrations))

    def other_machines(self, test_id: str, *, besides: str | None = None) -> tuple[str, ...]:
        """Sorted keys of the machines, other than *besides*, that have a baseline of *test_id*.

        Raises:
            BaselineError: The folder can't be listed.
        """
        path_in_machine = path_of(test_id)
        own_name = None if besides is None else name_of(besides)
        with _may_fail("list", self.folder, root=self.folder):
            try:
                folders = [
                    f
                    for f in self.folder.iterdir()
                    if f.name != own_name and os.path.lexists(f / path_in_machine)
                ]
            except FileNotFoundError:
                _refuse_broken_link(self.folder)
                return ()
        return tuple(sorted(folder.name for folder in folders))

    def write(
        self, machine_key: str, test_id: str, records: Sequence[Record], mode: Mode, keep: int = KEPT_COUNT
    ) -> Baseline:
        """Add *records* to a baseline or put them in its place; returns what is stored now.

        A record that the baseline has already is not added again. Of the current level the first accepted and
        the newest stay, *keep* in all; what was before it goes (`levels.kept`). To replace, the old file is
        not read: it may be broken.

        Raises:
            BaselineError: The old file is broken, a record doesn't belong to this baseline, or the file
                can't be written. The old file is then as it was.
        """
        _refuse_broken_link(self.path(machine_key, test_id).parent)
        with self._locked():
            old = self.load(machine_key, test_id) if mode == "add" else None
            sessions = kept(extended(() if old is None else old.entries, records), keep)
            return self._put(machine_key, test_id, old, sessions)

    def _put(
        self, machine_key: str, test_id: str, old: Baseline | None, sessions: tuple[Record, ...]
    ) -> Baseline:
        """Put *sessions* in place of *old*, by the holder of the lock."""
        path = self.path(machine_key, test_id)
        if old is not None and sessions == old.entries:
            return old
        try:
            new = Baseline(test_id=test_id, machine_key=machine_key, entries=sessions)
        except BaselineError as error:
            can_replace = old is not None and isinstance(error.__cause__, NotComparable)
            advice = _START_ANEW if can_replace else ""
            raise BaselineError(f"{path} was not written: {error}{advice}") from error
        self._check_times(sessions, path)
        text = to_json_text(new)
        with _may_fail("write", path, root=self.folder):
            _write_whole(path, text, self.folder)
        return new

    def merge(self, baseline: Baseline) -> int:
        """Add the sessions of *baseline* that its file has not, all of them; how many that are.

        Raises:
            BaselineError: As for `write`.
        """
        machine_key, test_id = baseline.machine_key, baseline.test_id
        with self._locked():
            old = self.load(machine_key, test_id)
            before = () if old is None else old.entries
            new = self._put(machine_key, test_id, old, extended(before, baseline.entries))
        return len(new.entries) - len(before)

    def reduce(self, path: PurePath, choose: Callable[[Baseline], Sequence[Record]]) -> int:
        """Leave of the baseline in *path*, one of `paths()`, only the sessions that *choose* names.

        Of none the file goes, and with it the folders that it leaves empty.

        Returns:
            How many sessions went.

        Raises:
            BaselineError: The file is broken or not there, or it can't be written. It is then as it was.
        """
        path = Path(path)
        with self._locked():
            old = self.read(path)
            sessions = tuple(choose(old))
            if sessions == old.entries:
                return 0
            with _may_fail("write", path, root=self.folder):
                if sessions:
                    _write_whole(path, to_json_text(replace(old, entries=sessions)), self.folder)
                else:
                    _remove(path, self.folder)
        return len(old.entries) - len(sessions)

    def content(self, path: PurePath, most_bytes: int) -> bytes:
        return read_whole(Path(path), most_bytes)

    def put(self, path: PurePath, content: bytes) -> None:
        write_whole(Path(path), content)

    def _misplaced(self, baseline: Baseline, path: PurePath) -> BaselineError:
        place = self.path(baseline.machine_key, baseline.test_id)
        return BaselineError(
            f"{path} holds the baseline of {baseline.test_id!r} on {baseline.machine_key!r}, "
            f"whose place is {place}: move it there or delete it"
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with ExitStack() as stack:
            with _may_fail("write", self.folder, root=self.folder):
                stack.enter_context(locked(self.folder, self.lock_timeout_s))
            yield


def _json_files(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        # A folder that isn't there, not yet or not any more, holds none.
        if not isinstance(error, FileNotFoundError):
            raise error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        # What is no file in the place of one is named, so that who reads it is told.
        yield from (
            Path(parent, name)
            for name in (*folders, *names)
            if name.endswith(".json") and not name.startswith(".")
        )


def _text_in(path: Path, root: Path) -> str | None:
    with _may_fail("read", path, root=root):
        try:
            content = read_whole(path, MOST_CHARACTERS)
        except FileNotFoundError:
            _refuse_broken_link(path)
            return None
        except NotAFile as error:
            raise BaselineError(f"can't read {path}: {error}; {HOW_TO_MEND}") from error
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BaselineError(
            f"{path} is not text: byte {error.start} is {error.object[error.start]:#04x}; {HOW_TO_MEND}"
        ) from error


def _refuse_broken_link(path: Path) -> None:
    """Refuse a link to nowhere in place of a folder: what is missing behind it is not absent.

    Raises:
        BaselineError: The part of *path* that is there is such a link.
    """
    place = next(part for part in (path, *path.parents) if os.path.lexists(part))
    if not place.exists():
        raise BaselineError(
            f"{place} is a link to nowhere ({os.readlink(place)}), so the baselines behind it are missing: "  # noqa: PTH115
            "restore them, or delete the link"
        )


def _write_whole(path: Path, text: str, root: Path) -> None:
    """Put *text* in place of *path* in one step that outlasts a crash of this process or of the machine."""
    is_new = not path.exists()
    make_folder(path.parent)
    remove_leftovers(path.parent)
    replace_whole(path, text.encode("ascii"))
    if is_new:
        # The folders above may have been made by a writer that was killed before it synced them.
        for folder in path.parent.relative_to(root).parents:
            sync_folder(root / folder)


def _remove(path: Path, root: Path) -> None:
    """Remove *path*, and the folders below *root* that are empty then."""
    remove_leftovers(path.parent)
    path.unlink()
    kept = path.parent
    while kept != root:
        try:
            kept.rmdir()
        except OSError:  # something else is in it
            break
        kept = kept.parent
    sync_folder(kept)


@contextmanager
def _may_fail(verb: str, path: Path, *, root: Path | None = None) -> Iterator[None]:
    """Tell what the system refuses in the block, to *verb* the *path*, as a `BaselineError`."""
    try:
        yield
    except OSError as error:
        because = error.strerror or error
        if root is not None and isinstance(error, NotADirectoryError | FileExistsError):
            folders = [root, *reversed([f for f in path.parents if f.is_relative_to(root)])]
            obstacle = next((folder for folder in folders if folder.exists() and not folder.is_dir()), None)
            because = because if obstacle is None else f"{obstacle} is not a folder"
        raise BaselineError(f"can't {verb} {path}: {because}; fix that, or {_OTHER_FOLDER}") from error
