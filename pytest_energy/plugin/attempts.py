"""The folder of earlier attempts at a commit: read before the tests, and given this run at the end.

Rule 1: what can't be read in it stops the run: to pass it over would forget a try in silence. So does a
place at which it can't be made.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from pytest_energy.baselines.attempts import (
    attempt_number,
    attempts_note,
    earlier_attempts,
    why_no_attempts,
)
from pytest_energy.documents import now_text
from pytest_energy.errors import FormatError, SettingsError
from pytest_energy.judgement import Judgement
from pytest_energy.model import Record
from pytest_energy.report.formats import write
from pytest_energy.report.to_json import MOST_BYTES, read
from pytest_energy.whole_file import check_place, read_whole, writing

_WHAT_TO_DO = "delete it; later verdicts then don't include its joules"


class Attempts:
    """Earlier attempts at this commit, and the note on them.

    Args:
        folder: Of their runs as JSON, or `None` if they are not kept; it need not be there yet.
        environ: Of the process: CI's counter of tries is in it.
    """

    def __init__(self, folder: Path | None, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._number = attempt_number(environ)

    @cached_property
    def by_test(self) -> Mapping[str, Sequence[Record]]:
        """All records in the folder, by their tests' ids.

        Raises:
            SettingsError: A file in it can't be read, or is no run; or the folder can't be used.
        """
        records: dict[str, list[Record]] = {}
        for path in () if self._folder is None else _files_of(self._folder):
            for record in _records_in(path):
                records.setdefault(record.test_id, []).append(record)
        return records

    def of(self, fresh: Record) -> tuple[Record, ...]:
        """The earlier attempts at what *fresh* measured: each a session, to be judged with it."""
        return earlier_attempts(fresh, self.by_test.get(fresh.test_id, ()))

    def note(self, fresh: Iterable[Record]) -> str | None:
        """The note on earlier attempts at the end of a run, or `None` on a first attempt.

        Args:
            fresh: The records of this run that were compared with a baseline.
        """
        records = list(fresh)
        if not records:
            return None
        kept_count = max(len(self.of(record)) for record in records)
        return attempts_note(self._number, kept_count, why_no_attempts(records[0]))

    def keep(self, judgements: Sequence[Judgement], name: str) -> Path | None:
        """Put a run into the folder as *name*, for the next try.

        Returns:
            The file, or `None` without a folder, or without tests.

        Raises:
            SettingsError: It can't be written.
        """
        if self._folder is None or not judgements:
            return None
        path = self._folder / f"{name.replace(':', '-')}.json"
        write(judgements, path, created=now_text())
        return path


def _files_of(folder: Path) -> list[Path]:
    with writing(f"--energy-attempts: a run in {folder}"):
        check_place(folder / "run.json")
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == ".json")
        except FileNotFoundError:
            return []


def _records_in(path: Path) -> tuple[Record, ...]:
    try:
        run = read(read_whole(path, MOST_BYTES).decode(), str(path))
    except (OSError, UnicodeDecodeError, FormatError) as error:
        msg = f"--energy-attempts: {path} can't be read as a run: {error}; {_WHAT_TO_DO}"
        raise SettingsError(msg) from error
    return tuple(judgement.record for judgement in run.judgements)
