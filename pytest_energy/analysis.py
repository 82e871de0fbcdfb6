"""Runs as pandas DataFrames, for notebooks and scripts."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_energy.cli.files import read_run
from pytest_energy.errors import SettingsError
from pytest_energy.report.to_csv import table_of_rounds, table_of_tests, table_of_yardstick

if TYPE_CHECKING:
    import pandas as pd

_TABLES = {"test": table_of_tests, "round": table_of_rounds, "yardstick": table_of_yardstick}


def load(path: str | Path, *, each: Literal["test", "round", "yardstick"] = "test") -> "pd.DataFrame":
    """The run that `pytest --energy-out=RUN.json` wrote, as a table.

    Columns are named as in the CSV of `--energy-out=RUN.csv`: `id`, `verdict`, `energy_j`, `uncertainty_j`,
    `power_w`, `duration_s`, `machine_key`, ..., a metric `metric.NAME`; of a round also `channel.NAME_j`. The
    unit is the last part of a name. What was not measured is NaN or `None`, and `absent` says why.

    Args:
        path: The file.
        each: The rows: a test, with the mean of its rounds; one round; or one round of the yardstick,
            the fixed loads of the run's start, with no row where none was measured.

    Raises:
        SettingsError: pandas isn't installed, or the file can't be read or is no run.
    """
    run = read_run(Path(path))
    table = _TABLES[each](run)
    try:
        import pandas as pd
    except ImportError as error:
        raise SettingsError(
            "a run is loaded as a DataFrame of pandas, which is not installed: "
            "pip install 'pytest-energy[analysis]'"
        ) from error
    return pd.DataFrame(list(table.rows), columns=list(table.columns))
