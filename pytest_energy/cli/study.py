"""`pytest-energy study`: runs of several machines and commits in one table."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_energy.cli.arguments import Commands
from pytest_energy.cli.files import say
from pytest_energy.cli.study_files import runs_at
from pytest_energy.documents import now_text
from pytest_energy.errors import SettingsError
from pytest_energy.report.catalogue import write
from pytest_energy.report.to_csv import render as render_csv
from pytest_energy.spelling import listed
from pytest_energy.study import document, figures, page, texts
from pytest_energy.study.hardware import COLUMNS
from pytest_energy.study.study import Study, study_of, table_of
from pytest_energy.whole_file import check_place, write_whole, writing

_RENDERERS: Mapping[str, Callable[[Study], str]] = {
    ".md": texts.markdown,
    ".html": lambda study: page.render(study, created=now_text()),
    ".csv": lambda study: render_csv(table_of(study)),
    ".json": lambda study: document.render(study, created=now_text()),
}


def register(commands: Commands) -> None:
    study = commands.add_parser(
        "study",
        help="show runs of several machines and commits in one table",
        description="Show runs of several machines and commits in one table: joules per sample of each "
        "model, how each metric ranks them (Spearman's rho, beside the paper's), whether a ranking transfers "
        "between machines, and joules over batch size and request rate.",
        epilog="Exit status: 0, or 2 if a file or a value can't be used.",
    )
    study.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="RUN.json",
        help="a file written by --energy-out=RUN.json, or a .jsonl file with a test per line",
    )
    study.add_argument(
        "--by",
        choices=tuple(COLUMNS),
        default="machine",
        help="what a column is of; default: %(default)s. The others split the runs of one machine",
    )
    study.add_argument(
        "--as",
        dest="renamed",
        type=_pair,
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="rank the tests of group OLD with those of group NEW (repeatable)",
    )
    study.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="NAME",
        help="show this group and no other (repeatable)",
    )
    study.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help=f"write the study to PATH, which ends in one of {', '.join(_RENDERERS)} (repeatable)",
    )
    study.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="draw the figures into DIR as PNG; needs matplotlib: pip install 'pytest-energy[plot]'",
    )
    study.set_defaults(run=_study)


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not old or not new or not equals:
        raise argparse.ArgumentTypeError(f"must be OLD=NEW, two names of groups. Got {text!r}")
    return old, new


def _study(options: argparse.Namespace) -> int:
    _check_outputs(options.out)
    study = study_of(
        runs_at(options.files),
        by=options.by,
        renamed=dict(options.renamed),
        chosen=tuple(options.group),
    )
    say(*texts.terminal(study))
    for path in options.out:
        text = _RENDERERS[path.suffix.lower()](study)
        with writing(f"the study {path}"):
            write_whole(path, text.encode("utf-8", "backslashreplace"))
        say(f"written to {path}")
    if options.figures is not None:
        for figure in write(figures.plans_of(study), options.figures):
            say(f"written to {figure.path}")
    return 0


def _check_outputs(paths: list[Path]) -> None:
    for path in paths:
        if path.suffix.lower() not in _RENDERERS:
            suffix = path.suffix or "no suffix"
            raise SettingsError(f"{path} ends in {suffix!r}; a study ends in one of {listed(_RENDERERS)}")
        with writing(f"the study {path}"):
            check_place(path)
        if path.suffix.lower() == ".html":
            page.check_installed()
