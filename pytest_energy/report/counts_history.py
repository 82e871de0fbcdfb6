"""The sessions of a baseline of counts alone, as text: when, at which commit, where the counts changed."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from pytest_energy.baselines.schema import Baseline, moment_of
from pytest_energy.counts import OF_THE_LIBRARY, Counts
from pytest_energy.model import JoinedAs, Record
from pytest_energy.report.cells import ABSENT, printable
from pytest_energy.verdict.figures import count_text

_HEADERS = ("session", "created (UTC)", "commit", "calls of the code", "counts")
_COMMIT_LENGTH = 9


def render(baseline: Baseline) -> str:
    """The history of *baseline*, no newline at its end."""
    from tabulate import tabulate

    rows = [_HEADERS, *_rows(baseline.entries)]
    alignment = ("right", "left", "left", "right", "left")
    table = tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=alignment)
    sessions = count_text(len(baseline.entries), "session")
    lines = [printable(baseline.test_id), f"on {printable(baseline.machine_key)}: {sessions}, counts", ""]
    return "\n".join([*lines, *(line.rstrip() for line in table.splitlines())])


def _rows(records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    changes = ["the first", *(_change(before, after) for before, after in pairwise(records))]
    for number, (record, change) in enumerate(zip(records, changes, strict=True), start=1):
        commit = record.machine.varying.get("git_commit", ABSENT)[:_COMMIT_LENGTH]
        created = f"{moment_of(record):%Y-%m-%d %H:%M}"
        yield str(number), created, printable(commit), _calls(record.counts), change


def _change(before: Record, after: Record) -> str:
    if before.counts is None or after.counts is None:
        return ABSENT
    text = "as before" if before.counts.digest == after.counts.digest else "changed"
    return f"{text}, a new level" if after.joined_as is JoinedAs.LEVEL else text


def _calls(counts: Counts | None) -> str:
    if counts is None:
        return ABSENT
    return f"{sum(one.count for one in counts.entries if one.kind not in OF_THE_LIBRARY):,}"
