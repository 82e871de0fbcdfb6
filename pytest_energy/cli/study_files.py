"""The runs of a study, read from files.

Rule 1: `RUN.json` is a run of --energy-out. `ROWS.jsonl` holds a test a line, as benchmarks keep them that
    are cut before their run ends.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_energy.cli.files import check_joules
from pytest_energy.conversion import judgement_from_json
from pytest_energy.errors import FormatError, NotMeasurable, SettingsError
from pytest_energy.judgement import Judgement
from pytest_energy.report.to_json import MOST_BYTES, read_judgements
from pytest_energy.spelling import near_file
from pytest_energy.study.samples import Run
from pytest_energy.whole_file import read_whole

LINES = ".jsonl"
_WHAT_TO_GIVE = " Give files written by --energy-out=RUN.json."


def runs_at(paths: Iterable[Path]) -> tuple[Run, ...]:
    """The run of each of *paths*, named as its file is.

    Raises:
        SettingsError: One can't be read, or is no run.
    """
    paths = tuple(paths)
    names = _names(paths)
    return tuple(Run(name=names[path], judgements=_judgements(path)) for path in paths)


def _names(paths: Iterable[Path]) -> Mapping[Path, str]:
    """The file's name, with its folder where two have the same."""
    paths = tuple(dict.fromkeys(paths))
    counts = [path.name for path in paths]
    return {path: path.name if counts.count(path.name) == 1 else str(path) for path in paths}


def _judgements(path: Path) -> tuple[Judgement, ...]:
    try:
        text = read_whole(path, MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        because = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path} can't be read: {because}.{near_file(path) or _WHAT_TO_GIVE}") from error
    try:
        judgements = _of_lines(text, path) if path.suffix == LINES else read_judgements(text, str(path))
        for number, judgement in enumerate(judgements):
            check_joules(judgement, f"{path}: tests[{number}] ({judgement.record.test_id})")
    except FormatError as error:
        raise SettingsError(f"{error}.{_WHAT_TO_GIVE}") from error
    return judgements


def _of_lines(text: str, path: Path) -> tuple[Judgement, ...]:
    return tuple(
        _of_line(line, f"{path}:{number}") for number, line in enumerate(text.splitlines(), 1) if line.strip()
    )


def _of_line(line: str, where: str) -> Judgement:
    try:
        return judgement_from_json(json.loads(line), where)
    except (ValueError, NotMeasurable) as error:
        raise FormatError(f"{where} is no test: {error}") from error
