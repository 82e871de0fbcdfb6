"""Runs as pandas DataFrames, for notebooks and scripts."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_energy.cli.files import read_run
from pytest_energy.errors import SettingsError
from pytest_energy.report.to_csv import table_of_rounds, table_of_tests

if TYPE_CHECKING:
    import pandas as pd


def load(path: str | Path, *, each: Literal["test", "round"] = "test") -> "pd.DataFrame":
    """The run that `pytest --energy-out=RUN.json` wrote, as a table.

    Columns are named as in the CSV of `--energy-out=RUN.csv`: `id`, `verdict`, `energy_j`, `uncertainty_j`,
    `power_w`, `duration_s`, `machine_key`, ..., a metric `metric.NAME`; of a round also `channel.NAME_j`. The
    unit is the last part of a name. What was not measured is NaN or `None`, and `absent` says why.

    Args:
        path: The file.
        each: What a row is: a test, with the mean of its rounds, or one round.

    Raises:
        SettingsError: pandas isn't installed, or the file can't be read or is no run.
    """
    run = read_run(Path(path))
    table = table_of_tests(run) if each == "test" else table_of_rounds(run)
    try:
        import pandas as pd
    except ImportError as error:
        raise SettingsError(
            "a run is loaded as a DataFrame of pandas, which is not installed: "
            "pip install 'pytest-energy[analysis]'"
        ) from error
    return pd.DataFrame(list(table.rows), columns=list(table.columns))
