"""Runs of several machines and commits as one study. Pure.

Rule 1: a run is given once: a test that two files hold was measured once, and would count twice.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_energy.codec import JsonDict
from pytest_energy.errors import SettingsError, printable
from pytest_energy.judgement import Judgement
from pytest_energy.report.to_csv import Table, table_of_tests
from pytest_energy.spelling import did_you_mean
from pytest_energy.study.curves import BatchCurve, RateCurve, batch_curves, rate_curves
from pytest_energy.study.hardware import Hardware, columns_of
from pytest_energy.study.ranking import Rho, rhos_of
from pytest_energy.study.rows import Group, groups_of
from pytest_energy.study.samples import Run, Sample, samples_of
from pytest_energy.study.transfer import Transfer, transfers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Everything that a study shows.

    Attributes:
        columns: In the order met: `HC-1`, `HC-2`, ...
        samples: Of all runs, by the label of their column.
        groups: Tests that are ranked together.
    """

    runs: tuple[Run, ...]
    columns: tuple[Hardware, ...]
    samples: Mapping[str, tuple[Sample, ...]]
    groups: tuple[Group, ...]
    rhos: tuple[Rho, ...]
    transfers: tuple[Transfer, ...]
    batch_curves: tuple[BatchCurve, ...]
    rate_curves: tuple[RateCurve, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(one.label for one in self.columns)


def study_of(
    runs: Sequence[Run],
    *,
    by: str = "machine",
    renamed: Mapping[str, str] | None = None,
    chosen: Sequence[str] = (),
) -> Study:
    """The study of *runs*.

    Args:
        runs: One at least, in the order in which columns are numbered.
        by: What a column is, of `COLUMNS`.
        renamed: Group to the name of the group that its tests are ranked with.
        chosen: Groups to show; all if empty.

    Raises:
        SettingsError: A run has no joules, is there twice, or has other samples than the others of its group;
            or no run has a group that was named.
    """
    _check_each_once(runs)
    known = dict.fromkeys(one.record.group for run in runs for one in run.judgements if one.record.group)
    _check_known(renamed or {}, known)
    runs = tuple(run.renamed(renamed or {}) for run in runs)
    _check_known(chosen, {*known, *(renamed or {}).values()})
    samples = [one for run in runs for one in samples_of(run) if not chosen or one.group in chosen]
    columns, by_column = columns_of(samples, by)
    groups = groups_of(by_column)
    places = {
        (one.run, one.record.machine.key, one.record.provenance): label
        for label, own in by_column.items()
        for one in own
    }

    def column_of(run: Run, judgement: Judgement) -> str:
        record = judgement.record
        return places[run.name, record.machine.key, record.provenance]

    return Study(
        runs=runs,
        columns=columns,
        samples=by_column,
        groups=groups,
        rhos=tuple(rho for group in groups for rho in rhos_of(group, list(by_column))),
        transfers=tuple(one for group in groups for one in transfers_of(group, columns)),
        batch_curves=batch_curves(runs, column_of, chosen),
        rate_curves=rate_curves(runs, column_of, chosen),
    )


def _check_known(names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f" They have {', '.join(known) or 'none'}."
            raise SettingsError(printable(f"no run has a group {name!r}.{hint}"))


def _check_each_once(runs: Sequence[Run]) -> None:
    seen: dict[tuple[str, str, str], Run] = {}
    for run in runs:
        for record in (one.record for one in run.judgements):
            key = (record.test_id, record.created, record.machine.key)
            first = seen.setdefault(key, run)
            if first is not run:
                raise SettingsError(
                    f"{run.name} repeats {first.name}: both hold {record.test_id}, measured at "
                    f"{record.created}. Give each run once"
                )


def table_of(study: Study) -> Table:
    """A row per test of all runs: the columns of a run's table, and what the study knows of the test."""
    first = ("run", "hardware", "row_model", "row_setting")
    joules = ("net_energy_per_sample_j", "active_energy_per_sample_j")
    tables = [table_of_tests(run) for run in study.runs]
    columns = dict.fromkeys(name for table in tables for name in table.columns)
    by_test = {
        (one.run, one.record.test_id, one.record.created): (label, one)
        for label, own in study.samples.items()
        for one in own
    }
    rows = [
        _row(run, judgement, row, by_test)
        for run, table in zip(study.runs, tables, strict=True)
        for judgement, row in zip(run.judgements, table.rows, strict=True)
    ]
    return Table(columns=(*first, *columns, *joules), rows=tuple(rows))


def _row(
    run: Run,
    judgement: Judgement,
    row: JsonDict,
    by_test: Mapping[tuple[str, str, str], tuple[str, Sample]],
) -> JsonDict:
    record = judgement.record
    found = by_test.get((run.name, record.test_id, record.created))
    if found is None:  # a test without a group
        return {"run": run.name, **row}
    label, one = found
    return {
        "run": run.name,
        "hardware": label,
        "row_model": one.model,
        "row_setting": one.setting,
        **row,
        "net_energy_per_sample_j": one.energies_j["net"],
        "active_energy_per_sample_j": one.energies_j["active"],
    }
