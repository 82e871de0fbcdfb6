"""`pytest-energy comment`: the report of a run on its pull request or merge request."""

import argparse
import os
from pathlib import Path

from pytest_energy.cli.arguments import Commands, whole_number
from pytest_energy.cli.files import say
from pytest_energy.errors import SettingsError
from pytest_energy.forge.comment import Change, Mark, comment_text, put
from pytest_energy.forge.job import Job, NoToken, job_of, provider_of
from pytest_energy.forge.web import ForgeError, NotAllowed
from pytest_energy.whole_file import read_whole

_MOST_BYTES = 2**24
_WHERE = "The report is in the files of the job."


def register(commands: Commands) -> None:
    comment = commands.add_parser(
        "comment",
        help="comment a report on its pull request or merge request",
        description="Post a report as one comment. The next run updates that comment. Comments of others are "
        "never changed. The token comes from GITHUB_TOKEN (or GH_TOKEN), or from GITLAB_TOKEN; the request "
        "and the address of the API come from the variables that GitHub Actions and GitLab CI set.",
        epilog="Exit status: 0 if the comment was posted, or if the token may not comment, as for a fork; 1 "
        "if the service refuses or can't be reached; 2 if a file or a value can't be used.",
    )
    comment.add_argument("report", type=Path, metavar="REPORT.md", help="written by --energy-out=REPORT.md")
    comment.add_argument(
        "--provider",
        choices=("github", "gitlab", "auto"),
        default="auto",
        help="the service; default: the one that the job runs on",
    )
    comment.add_argument(
        "--number",
        type=whole_number,
        metavar="N",
        help="of the pull or merge request; default: the job's own",
    )
    comment.add_argument(
        "--key", default="", metavar="NAME", help="one comment per NAME, if several jobs comment"
    )
    comment.add_argument(
        "--report-url", metavar="URL", help="link to the files of the run; default: the page of the job"
    )
    comment.set_defaults(run=_comment)


def _comment(options: argparse.Namespace) -> int:
    report = _read(options.report)
    provider = provider_of(os.environ) if options.provider == "auto" else options.provider
    try:
        job = job_of(provider, os.environ, options.number)
    except NoToken as error:
        say(f"No comment: {error}. {_WHERE}")
        return 0
    return _post(report, job, options)


def _post(report: str, job: Job, options: argparse.Namespace) -> int:
    mark = Mark(key=options.key, run=job.run)
    url = options.report_url or job.report_url
    limit = job.forge.most_characters
    text = comment_text(report, mark, limit=limit, report_url=url, commit=job.commit)
    try:
        change, comment = put(job.forge, text, mark)
    except NotAllowed as error:
        say(f"No comment on {job.forge.name}: {error}. {job.without_right} {_WHERE}")
        return 0
    except ForgeError as error:
        say(f"No comment on {job.forge.name}: {error}. {_WHERE}")
        return 1
    done = "unchanged: a newer run has commented" if change is Change.LEFT else f"{change}"
    say(f"Comment {comment.id} on {job.forge.name} {done}{comment.url and ': '}{comment.url}")
    return 0


def _read(path: Path) -> str:
    try:
        return read_whole(path, _MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        because = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{path} can't be read: {because}; give a file written by --energy-out=run.md"
        ) from error
