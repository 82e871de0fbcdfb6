"""Runs as pandas DataFrames, for notebooks and scripts."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_energy.cli.files import read_run
from pytest_energy.cli.study_files import runs_at
from pytest_energy.errors import SettingsError
from pytest_energy.report.to_csv import table_of_rounds, table_of_tests, table_of_yardstick
from pytest_energy.study.study import study_of, table_of

if TYPE_CHECKING:
    import pandas as pd

_TABLES = {"test": table_of_tests, "round": table_of_rounds, "yardstick": table_of_yardstick}


def load(
    path: str | Path, *more: str | Path, each: Literal["test", "round", "yardstick"] = "test"
) -> "pd.DataFrame":
    """The run that `pytest --energy-out=RUN.json` wrote, as a table; or several runs as one table.

    Columns are named as in the CSV of `--energy-out=RUN.csv`: `id`, `verdict`, `energy_j`, `uncertainty_j`,
    `power_w`, `duration_s`, `machine_key`, ..., a metric `metric.NAME`; of a round also `channel.NAME_j`. The
    unit is the last part of a name. What was not measured is NaN or `None`, and `absent` says why.

    Of several runs the rows are tests, and four columns precede: `run` (the file's name), `hardware` (`HC-1`,
    `HC-2`, ... by machine, as `pytest-energy study` numbers them), `row_model` and `row_setting`. Two follow:
    `net_energy_per_sample_j` and `active_energy_per_sample_j`.

    Args:
        path: The file.
        *more: Files of other runs.
        each: The rows: a test, with the mean of its rounds; one round; or one round of the yardstick,
            the fixed loads of the run's start, with no row where none was measured.

    Raises:
        SettingsError: pandas isn't installed, or a file can't be read, is no run, or is given twice.
    """
    if more and each != "test":
        raise SettingsError(f"several runs are loaded test by test: remove each={each!r}, or load each alone")
    table = (
        table_of(study_of(runs_at(map(Path, (path, *more))))) if more else _TABLES[each](read_run(Path(path)))
    )
    try:
        import pandas as pd
    except ImportError as error:
        raise SettingsError(
            "a run is loaded as a DataFrame of pandas, which is not installed: "
            "pip install 'pytest-energy[analysis]'"
        ) from error
    return pd.DataFrame(list(table.rows), columns=list(table.columns))
