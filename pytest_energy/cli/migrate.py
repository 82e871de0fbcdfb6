"""`pytest-energy baselines migrate`: copies baselines from a folder to a URL, or back.

Rule 1: every session arrives, in its order, with what started its level; what is there already stays.
Rule 2: what is damaged is named, and keeps nothing else out.
Rule 3: to do it again adds nothing.
"""

import argparse
from collections.abc import Iterator

from pytest_energy.baselines.location import location, store_at
from pytest_energy.baselines.protocol import BaselineStore, NotWritable
from pytest_energy.cli.arguments import Commands
from pytest_energy.cli.files import say
from pytest_energy.errors import BaselineError, SettingsError
from pytest_energy.prediction import calibration_file
from pytest_energy.spelling import near_file
from pytest_energy.verdict.figures import count_text


def register(actions: Commands) -> None:
    migrate = actions.add_parser(
        "migrate",
        help="copy baselines from a folder to a URL, or back",
        description="Copy every baseline and calibration from FROM to TO: a folder or a URL each. Sessions "
        "keep their order and their levels. What TO has already stays as it is, and nothing is removed. "
        "`pytest-energy baselines diff FROM TO` compares them afterwards.",
        epilog="Exit status: 0, or 2 if something is broken or can't be written. The rest is then copied.",
    )
    migrate.add_argument("source", type=location, metavar="FROM", help="a folder or URL of baselines")
    migrate.add_argument("target", type=location, metavar="TO", help="another one")
    migrate.set_defaults(run=_migrate)


def _migrate(options: argparse.Namespace) -> int:
    source, target = store_at(options.source, tell=say), store_at(options.target, tell=say)
    if not source.is_there():
        raise SettingsError(f"{options.source} is not a folder.{near_file(options.source)}")
    problems: list[str] = []
    counts = list(_merged(source, target, problems))
    calibration_count = sum(1 for _ in _calibrations(source, target, problems))
    sizes, added = [size for size, _ in counts], [count for _, count in counts]
    say(
        f"{count_text(len(counts), 'baseline')} copied from {source.name} to {target.name}: "
        f"{count_text(sum(added), 'session')} added, {sum(sizes) - sum(added):,} already there"
    )
    if calibration_count:
        say(f"{count_text(calibration_count, 'calibration')} copied")
    if problems:
        raise BaselineError("\n".join([f"{count_text(len(problems), 'problem')}:", *problems]))
    return 0


def _merged(source: BaselineStore, target: BaselineStore, problems: list[str]) -> Iterator[tuple[int, int]]:
    """Sessions of each baseline, and how many of them are new in *target*."""
    for _, baseline in source.read_each(source.paths(), is_whole=True):
        if isinstance(baseline, BaselineError):
            problems.append(str(baseline))
            continue
        try:
            yield len(baseline.entries), target.merge(baseline)
        except BaselineError as error:
            problems.append(str(error))
            if isinstance(error, NotWritable):  # nor could another one be written
                break


def _calibrations(source: BaselineStore, target: BaselineStore, problems: list[str]) -> Iterator[None]:
    for path in source.calibration_paths():
        try:
            calibration_file.write(target, calibration_file.load(source, path))
        except BaselineError as error:
            problems.append(str(error))
        else:
            yield
