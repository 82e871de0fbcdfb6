"""`pytest-energy calibrate`: costs of a card from runs on it, so that other machines can predict its joules.

Rule 1: a calibration is of one machine key; runs of several machines give one each.
Rule 2: what a run has that a fit can't use is named with its reason.
Rule 3: everything is fitted before anything is written.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pytest_energy.baselines.location import store_at
from pytest_energy.cli.arguments import Commands, add_baselines, add_run
from pytest_energy.cli.files import read_run, say
from pytest_energy.documents import now_text
from pytest_energy.errors import Absent, NotMeasurable, SettingsError
from pytest_energy.model import Record
from pytest_energy.prediction import Calibration, Observation, calibrated, observation_of
from pytest_energy.prediction.calibration_file import write
from pytest_energy.report.cells import printable
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import count_text

_NAMED_TESTS = 8  # of those that were left out, and of those that are farthest off


def register(commands: Commands) -> None:
    calibrate = commands.add_parser(
        "calibrate",
        help="fit joules to counts, from runs on a GPU",
        description="Fit the cost of each operation, byte and call on the machine of these runs, in "
        "seconds and joules, and store it with the baselines. From then on, tests that are "
        "counted on a machine without that card get predicted joules of it, with a 90 % "
        "interval. The stated error is for models that the fit did not have: each model is "
        "left out once.",
        epilog="Exit status: 0, or 2 if a file can't be used or the tests are too few.",
    )
    add_run(calibrate, "run_json", "RUN.json", nargs="+")
    add_baselines(calibrate)
    calibrate.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    records = [one.record for path in options.run_json for one in read_run(path).judgements]
    by_machine = _by_machine(records)
    if not by_machine:
        names = ", ".join(map(str, options.run_json))
        raise SettingsError(
            f"{names}: no test has measured joules and counts; run them on the card with --energy-out, "
            "without --energy-trace=off"
        )
    calibrations = [_calibrated(key, records, by_machine[key]) for key in sorted(by_machine)]
    for calibration in calibrations:
        store = store_at(options.baselines, tell=say)
        path = write(store, calibration)
        say(*_summary(calibration, store.shown(path)))
    return 0


def _by_machine(records: Iterable[Record]) -> dict[str, list[Observation]]:
    """Observations by machine key; what is none is said, worst first as they come."""
    observations: defaultdict[str, list[Observation]] = defaultdict(list)
    left_out = []
    for record in records:
        result = observation_of(record)
        if isinstance(result, Absent):
            left_out.append(printable(f"{record.test_id} is left out: {result.because}"))
        else:
            observations[record.machine.key].append(result)
    say(*left_out[:_NAMED_TESTS])
    if len(left_out) > _NAMED_TESTS:
        say(f"and {len(left_out) - _NAMED_TESTS} more are left out")
    return observations


def _calibrated(key: str, records: Sequence[Record], observations: Sequence[Observation]) -> Calibration:
    machines = [record.machine for record in records if record.machine.key == key]
    try:
        return calibrated(observations, machine_key=key, created=now_text(), facts=dict(machines[-1].varying))
    except NotMeasurable as error:
        raise SettingsError(str(error)) from error


def _summary(calibration: Calibration, path: str) -> list[str]:
    tests, groups = calibration.held_out, {one.group for one in calibration.held_out}
    low, high = (100 * (factor - 1) for factor in calibration.interval_factors)
    worst = sorted(tests, key=lambda one: -abs(one.log_error))[:_NAMED_TESTS]
    size = f"{count_text(len(tests), 'test')} of {count_text(len(groups), 'model')}"
    return [
        f"{printable(calibration.machine_key)}: {size}",
        f"  {100 * calibration.error_share:.3g} % median error for models that were left out",
        f"  90 % of them lie between {low:+.3g} % and {high:+.3g} % of what is predicted",
        "  farthest off, left out:",
        *(
            f"    {printable(one.test_id)}: {to_text(one.predicted_j, 'J')} predicted, "
            f"{to_text(one.energy_j, 'J')} measured"
            for one in worst
        ),
        f"written to {printable(path)}",
    ]
