"""Runs that are read again, reports that are written, and lines that are printed.

Rule 1: a file is looked at before it is read: one far larger than any run is refused by its size.
Rule 2: joules that can't be are refused wherever they are in it.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from pytest_energy.documents import now_text
from pytest_energy.errors import FormatError, SettingsError, printable_lines
from pytest_energy.judgement import Judgement
from pytest_energy.model import Record
from pytest_energy.report.formats import write, write_each
from pytest_energy.report.outputs import Output
from pytest_energy.report.to_json import MOST_BYTES, read
from pytest_energy.report.view import View
from pytest_energy.run_judgement import RunJudgement
from pytest_energy.spelling import listed, near_file, nearest
from pytest_energy.tariff import Tariff
from pytest_energy.whole_file import read_whole
from pytest_energy.yardstick import Yardstick

_NAMED_TESTS = 5  # of those that a message lists
_WHAT_TO_GIVE = " Give a file written by --energy-out."


def say(*lines: str) -> None:
    """Print each of *lines*, which may have lines in it; what is foreign in them is inert."""
    for line in lines:
        print(printable_lines(line))  # noqa: T201  # a command line prints


def say_json(text: str) -> None:
    """Print the JSON *text*; in the log of a CI job it commands nothing."""
    print(text.rstrip("\n").replace("##[", "##\\u005b"))  # noqa: T201


def read_run(path: Path) -> View:
    """The run in the file *path*.

    Raises:
        SettingsError: It can't be read, is too large, or is no run.
    """
    try:
        text = read_whole(path, MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        because = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path} can't be read: {because}.{near_file(path) or _WHAT_TO_GIVE}") from error
    try:
        run = read(text, str(path))
        for number, judgement in enumerate(run.judgements):
            check_joules(judgement, f"{path}: tests[{number}] ({judgement.record.test_id})")
        for number, record in enumerate(run.yardstick.records):
            _check_rounds(record, f"{path}: yardstick[{number}] ({record.test_id})")
    except FormatError as error:
        raise SettingsError(
            f"{error}.{_WHAT_TO_GIVE} If a newer pytest-energy wrote it, upgrade this one "
            "(pip install --upgrade pytest-energy)"
        ) from error
    return run


def check_joules(judgement: Judgement, where: str) -> None:
    """Refuse joules that can't be, in the summary or a round of *judgement*.

    Raises:
        FormatError: There are some; it names *where*.
    """
    summary = judgement.summary
    if summary is not None and min(summary.energy_j, summary.uncertainty_j) < 0:
        raise FormatError(
            f"{where}: {summary.energy_j} +- {summary.uncertainty_j} J; joules are not negative"
        )
    _check_rounds(judgement.record, where)


def _check_rounds(record: Record, where: str) -> None:
    for number, reading in enumerate(record.rounds):
        if reading.uncertainty_j < 0:
            raise FormatError(
                f"{where}: rounds[{number}]: uncertainty_j is {reading.uncertainty_j}; it is 0 or more"
            )


def did_you_mean_test(name: str, ids: Iterable[str]) -> str:
    """A sentence that names some of *ids*, those that are most like *name* first; it begins with a blank."""
    known = sorted(set(ids))
    names = {one.rpartition("::")[2]: one for one in known}
    near = nearest(name, known, count=_NAMED_TESTS) or [names[one] for one in nearest(name, names)]
    if near:
        return f" Did you mean {listed(near)}?"
    more = f" and {len(known) - _NAMED_TESTS:,} more" if len(known) > _NAMED_TESTS else ""
    return f" It has {', '.join(known[:_NAMED_TESTS])}{more}." if known else " It has no test."


def read_by_test(path: Path) -> dict[str, Judgement]:
    """The judgements of the run in the file *path* by their tests' ids.

    Raises:
        SettingsError: As for `read_run`; or a test is in it twice, so it is unclear which one is intended.
    """
    return by_test(read_run(path), path)


def by_test(run: View, path: Path) -> dict[str, Judgement]:
    """The judgements of *run*, from the file *path*, by their tests' ids.

    Raises:
        SettingsError: A test is there twice.
    """
    judgements: dict[str, Judgement] = {}
    for judgement in run.judgements:
        test_id = judgement.record.test_id
        if test_id in judgements:
            raise SettingsError(f"{path} has {test_id} twice; give a file of one run on one machine")
        judgements[test_id] = judgement
    return judgements


def write_reports(
    judgements: Sequence[Judgement],
    outputs: Iterable[Output],
    *,
    run_notes: Iterable[str],
    yardstick: Yardstick | None = None,
    run_judgement: RunJudgement | None = None,
    tariff: Tariff | None = None,
) -> None:
    """Write the report of *judgements* to each of *outputs*, and say so.

    Raises:
        SettingsError: As for `write_each`.
    """
    write_one = partial(
        write,
        judgements,
        created=now_text(),
        run_notes=tuple(run_notes),
        yardstick=yardstick,
        run_judgement=run_judgement,
        tariff=tariff,
    )
    write_each(outputs, write_one, lambda output: say(f"written to {output}"))
