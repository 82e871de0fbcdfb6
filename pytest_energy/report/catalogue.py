"""Every figure that a run has, and the file of each.

Rule 1: what a run can't be drawn for is not drawn, and said.
Rule 2: a file's name holds letters of ASCII, digits and `._+-` alone, begins with a word of ours, and is
    short: no name leads out of the folder, none is hidden, none is refused by a file system.
Rule 3: two figures of one run never have the same file.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pytest_energy.errors import SettingsError
from pytest_energy.model import Record
from pytest_energy.report import batch, rates
from pytest_energy.report.cells import printable
from pytest_energy.report.charts import batch_size, correlation, request_rate, rounds, training_inference
from pytest_energy.report.charts.spec import Sheet
from pytest_energy.report.plots.painter import DARK, LIGHT, Format, draw, save, styled
from pytest_energy.report.view import View
from pytest_energy.whole_file import make_folder, writing

_MOST_CHARACTERS = 100  # file systems take 255; a path has folders too


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A figure that can be drawn: what its file is called, without the suffix, and what is on it."""

    stem: str
    sheet: Callable[[], Sheet]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsContext:
    """What figures of rounds show besides the run, as the reader gives it.

    Attributes:
        sessions: Machine key and test id to the sessions of that baseline.
        tolerance: Accepted rise, a share, instead of the run's own.
    """

    sessions: Mapping[tuple[str, str], Sequence[Record]] = field(default_factory=dict)
    tolerance: float | None = None


def plans(run: View, *, rounds_of: RoundsContext | None = None) -> tuple[tuple[Plan, ...], tuple[str, ...]]:
    """What can be drawn of *run*, and, a sentence each, what can't.

    Args:
        run: The run.
        rounds_of: Draw also the rounds of each test that was compared with a baseline.
    """
    outcomes = [*_group_plans(run), *(_rounds_plans(run, rounds_of) if rounds_of is not None else ())]
    return (
        tuple(one for one in outcomes if isinstance(one, Plan)),
        tuple(printable(one) for one in outcomes if isinstance(one, str)),
    )


def _group_plans(run: View) -> Iterator[Plan | str]:
    for group in run.groups:
        if correlation.charts(group):
            yield Plan(stem=f"correlation-{slug(group.name)}", sheet=partial(correlation.sheet, run, group))
        else:
            yield f"group {group.name} has no metric of two models with joules: no correlation figure"
    for sweep in batch.sweeps(run):
        yield of_sweep(sweep)
    for series in rates.rate_series(run):
        if series.points:
            yield Plan(stem=f"request-rate-{slug(series.model)}", sheet=partial(request_rate.sheet, series))
        else:
            yield f"{series.model} has no rate with joules: no figure of its request rate"
    for paired in training_inference.pairs(run):
        yield Plan(stem="training-vs-inference", sheet=partial(training_inference.sheet, paired))


def of_sweep(sweep: batch.Sweep) -> Plan | str:
    """The figure of one model's batch sizes, or that there is none."""
    if not sweep.sizes:
        return f"{sweep.model} has no batch size with joules: no figure of its batch size"
    return Plan(stem=f"batch-size-{slug(sweep.model)}", sheet=partial(batch_size.sheet, sweep))


def _rounds_plans(run: View, context: RoundsContext) -> Iterator[Plan | str]:
    alone = sum(row.judgement.comparison is None for row in run.rows)
    if alone:
        yield f"{alone} of {len(run.rows)} tests were compared with no baseline: no figure of their rounds"
    for row in run.rows:
        if row.judgement.comparison is None:
            continue
        record = row.judgement.record
        compared = rounds.compared_rounds(
            row.judgement,
            sessions=context.sessions.get((record.machine.key, record.test_id), ()),
            tolerance=context.tolerance,
        )
        if isinstance(compared, str):
            yield f"{row.file_id}: no figure of its rounds: {compared}"
        else:
            yield Plan(
                stem=f"rounds-{slug(row.short_id)}", sheet=partial(rounds.sheet, row.short_id, compared)
            )


def write(
    all_plans: Sequence[Plan], folder: Path, *, form: Format = "png", is_dark: bool = False
) -> Iterator[Path]:
    """Draw and write each plan into *folder*, which is made; yields each file once it is there.

    Raises:
        SettingsError: matplotlib is not installed, or files can't be written, all of which it names; the
            others are.
    """
    theme = DARK if is_dark else LIGHT
    with styled(theme), writing(f"the folder {folder}"):
        make_folder(folder)
    failures = []
    for stem, plan in zip(distinct(plan.stem for plan in all_plans), all_plans, strict=True):
        path = folder / f"{stem}.{form}"
        try:
            with styled(theme):
                save(draw(plan.sheet(), theme), path, form)
        except SettingsError as error:
            failures.append(str(error))
        else:
            yield path
    if failures:
        raise SettingsError("\n".join(failures))


# ---- names of files ----


def slug(text: str) -> str:
    """*text* as a part of a file's name.

    >>> slug("test_a.py::test_training[resnet18/../x]"), slug("größe 1B@4/s"), slug("//")
    ('test_a.py-test_training-resnet18-x', 'grosse-1B-4-s', 'unnamed')
    """
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode("ascii")
    kept = re.sub(r"[^A-Za-z0-9._+]+|\.\.+", "-", plain)
    kept = re.sub(r"-(-|\.)*-", "-", kept)
    return kept[:_MOST_CHARACTERS].strip("-.") or "unnamed"


def distinct(stems: Iterable[str]) -> list[str]:
    """*stems* with a number behind each that another has already, capitals or not.

    >>> distinct(["a", "A", "a", "a-2"])
    ['a', 'A-2', 'a-3', 'a-2-2']
    """
    used: set[str] = set()
    names = []
    for stem in stems:
        name, number = stem, 1
        while name.lower() in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(name.lower())
        names.append(name)
    return names
