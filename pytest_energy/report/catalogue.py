"""Every figure that a run has, and the file of each.

Rule 1: what can't be drawn is left out, and the reason reported.
Rule 2: a file's name holds letters of ASCII, digits and `._+-` alone, begins with a word of ours, and is
    short: no name leads out of the folder, none is hidden, none is refused by a file system.
Rule 3: two figures of one run never have the same file.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from pytest_energy.errors import SettingsError
from pytest_energy.model import Record
from pytest_energy.report import batch, fronts, learning, rates, token_costs, work_parts
from pytest_energy.report.cells import printable
from pytest_energy.report.charts import (
    batch_size,
    correlation,
    layer_shares,
    learning_curves,
    pareto,
    request_rate,
    rounds,
    token_cost,
    training_inference,
)
from pytest_energy.report.charts.correlation import Choice
from pytest_energy.report.charts.spec import Sheet
from pytest_energy.report.plots.page import LIGHT, Look, words
from pytest_energy.report.plots.painter import DPI, PRINT_DPI, Format, draw, save, styled
from pytest_energy.report.view import View
from pytest_energy.whole_file import make_folder, writing

_MOST_CHARACTERS = 100  # file systems take 255; a path has folders too


_PLAIN = Look(theme=LIGHT)


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


def plans(
    run: View, *, rounds_of: RoundsContext | None = None, choice: Choice = correlation.ALL
) -> tuple[tuple[Plan, ...], tuple[str, ...]]:
    """What can be drawn of *run*, and, a sentence each, what can't.

    Args:
        run: The run.
        rounds_of: Draw also the rounds of each test that was compared with a baseline.
        choice: Of the metrics; where it names some, their charts alone are drawn.

    Raises:
        SettingsError: The run has no such metric.
    """
    outcomes = [
        *_correlation_plans(run, choice),
        *([] if choice.metrics else _other_plans(run)),
        *(_rounds_plans(run, rounds_of) if rounds_of is not None else ()),
    ]
    return (
        tuple(one for one in outcomes if isinstance(one, Plan)),
        tuple(printable(one) for one in outcomes if isinstance(one, str)),
    )


def _correlation_plans(run: View, choice: Choice) -> Iterator[Plan | str]:
    _check_names(run, choice.metrics)
    what = "no metric" if not choice.metrics else f"no {' or '.join(choice.metrics)}"
    for group in run.groups:
        if correlation.charts(group, choice):
            stem = "-".join(("correlation", slug(group.name), *choice.metrics))
            yield Plan(stem=slug(stem), sheet=partial(correlation.sheet, run, group, choice))
        else:
            yield f"group {group.name} has {what} of two models with joules: no correlation figure"


def _check_names(run: View, metrics: Sequence[str]) -> None:
    known = list(dict.fromkeys(metric.metric for group in run.groups for metric in group.correlations))
    for name in metrics:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'no metric'}"
            raise SettingsError(printable(f"the run has no metric {name!r}: {hint}"))


def _other_plans(run: View) -> Iterator[Plan | str]:
    for sweep in batch.sweeps(run):
        yield of_sweep(sweep)
    for series in rates.rate_series(run):
        if series.points:
            yield Plan(stem=f"request-rate-{slug(series.model)}", sheet=partial(request_rate.sheet, series))
        else:
            yield f"{series.model} has no rate with joules: no figure of its request rate"
    for costs in token_costs.token_costs(run):
        if costs.rows:
            yield Plan(stem=f"token-energy-{slug(costs.model)}", sheet=partial(token_cost.sheet, costs))
        else:
            yield f"{costs.model}: no figure of prefill and decode: {costs.lost[0][1]}"
    for settings in fronts.settings(run):
        yield Plan(stem=f"settings-{slug(settings.model)}", sheet=partial(pareto.sheet, settings))
    for beside in learning.learners(run):
        yield Plan(stem=f"accuracy-{slug(beside.model)}", sheet=partial(learning_curves.sheet, beside))
    for split in work_parts.layers_of_tests(run):
        yield Plan(stem=f"layers-{slug(split.model)}", sheet=partial(layer_shares.sheet, split))
    for paired in training_inference.pairs(run):
        yield Plan(stem="training-vs-inference", sheet=partial(training_inference.sheet, paired))


def of_sweep(sweep: batch.Sweep) -> Plan | str:
    """The figure of one model's batch sizes, or that there is none."""
    if not sweep.sizes:
        return f"{sweep.model} has no {sweep.what} with joules: no figure of its {sweep.what}"
    stem = f"{slug(sweep.what)}-{slug(sweep.model)}"
    return Plan(stem=stem, sheet=partial(batch_size.sheet, sweep))


def _rounds_plans(run: View, context: RoundsContext) -> Iterator[Plan | str]:
    alone = sum(row.judgement.comparison is None for row in run.rows)
    if alone:
        yield f"{alone} of {len(run.rows)} tests were not compared with a baseline: no figure of their rounds"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A figure that is in its file, and the words that it does not hold."""

    path: Path
    words: str


def write(
    all_plans: Sequence[Plan], folder: Path, *, form: Format = "png", look: Look = _PLAIN
) -> Iterator[Written]:
    """Draw and write each plan into *folder*, which is made; yields each file once it is there.

    Raises:
        SettingsError: matplotlib is not installed, or files can't be written, all of which it names; the
            others are.
    """
    with styled(look.theme), writing(f"the folder {folder}"):
        make_folder(folder)
    failures = []
    for stem, plan in zip(distinct(plan.stem for plan in all_plans), all_plans, strict=True):
        path = folder / f"{stem}.{form}"
        try:
            sheet = plan.sheet()
            with styled(look.theme):
                save(draw(sheet, look), path, form, dpi=DPI if look.width_in is None else PRINT_DPI)
        except SettingsError as error:
            failures.append(str(error))
        else:
            yield Written(path=path, words=words(sheet) if look.is_bare else "")
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
