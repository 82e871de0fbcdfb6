"""`pytest-energy history`: joules of each test over commits, and where they stepped."""

import argparse
from dataclasses import replace
from pathlib import Path

from pytest_energy.baselines.location import location
from pytest_energy.cli.arguments import Commands, chance
from pytest_energy.cli.files import say
from pytest_energy.cli.history_files import points_at
from pytest_energy.cli.history_git import commits_between, commits_of, points_in_git, repository_of
from pytest_energy.documents import now_text
from pytest_energy.errors import SettingsError
from pytest_energy.history.tracks import PAGE_CHANCE, History, LeftOut, history_of
from pytest_energy.report.over_commits import page, summary, table
from pytest_energy.whole_file import check_place, write_whole, writing

_RENDERERS = {
    ".html": lambda history: page.render(history, created=now_text()),
    ".csv": table.render,
}


def register(commands: Commands) -> None:
    history = commands.add_parser(
        "history",
        help="show the joules of each test over commits, and where they changed",
        description="Show the joules of each test over commits, failed runs included, and list where their "
        "level stepped. Reads files written by --energy-out, baselines, and with --git all committed "
        "versions of both.",
        epilog="Exit status: 0, or 2 if no file can be used.",
    )
    history.add_argument(
        "files",
        type=location,
        nargs="*",
        metavar="RUN.json",
        help="a file written by --energy-out=RUN.json, a baseline, a folder of them, or a URL of baselines",
    )
    history.add_argument(
        "--git",
        action="store_true",
        help="also read every committed version of runs and baselines in the working folder's repository",
    )
    history.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="write the history to PATH: a page (.html) or a table (.csv) (repeatable)",
    )
    history.add_argument(
        "--alpha",
        type=chance,
        default=PAGE_CHANCE,
        metavar="P",
        help="accepted chance that an unchanged history shows a step anywhere; default: %(default)s",
    )
    history.set_defaults(run=_show)


def _show(options: argparse.Namespace) -> int:
    _check_outputs(options.out)
    history = _history(options)
    say(*summary.lines(history))
    for path in options.out:
        text = _RENDERERS[path.suffix.lower()](history)
        with writing(f"the history {path}"):
            write_whole(path, text.encode("utf-8", "backslashreplace"))
        say(f"written to {path}")
    return 0


def _check_outputs(paths: list[Path]) -> None:
    for path in paths:
        if path.suffix.lower() not in _RENDERERS:
            suffix = path.suffix or "no suffix"
            raise SettingsError(
                f"{path} ends in {suffix!r}; a history ends in one of {', '.join(_RENDERERS)}"
            )
        with writing(f"the history {path}"):
            check_place(path)
        if path.suffix.lower() == ".html":
            page.check_installed()


def _history(options: argparse.Namespace) -> History:
    if not options.files and not options.git:
        raise SettingsError("nothing to read: give files written by --energy-out, a folder of them, or --git")
    repository = repository_of(Path.cwd())
    points, left_out = points_at(options.files)
    if options.git:
        if repository is None:
            raise SettingsError(
                f"--git reads the git repository of the working folder, but {Path.cwd()} is in none"
            )
        committed, unread = points_in_git(repository)
        points, left_out = points + committed, left_out + unread
    if not points:
        raise SettingsError(_nothing_text(left_out))
    commits = commits_of(repository, points)
    history = history_of(points, commits=commits, left_out=left_out, chance=options.alpha)
    between = commits_between(repository, history.tracks, commits)
    return replace(history, commits=replace(commits, between=between))


def _nothing_text(left_out: list[LeftOut]) -> str:
    reasons = "".join(f"\n  {one.text}" for one in left_out[: summary.MOST_LEFT_OUT])
    return f"these files have no joules. Give files written by --energy-out, or baselines{reasons}"
