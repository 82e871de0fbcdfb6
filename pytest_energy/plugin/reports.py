"""The energy of a test in pytest's reports, and new reports when a verdict is final.

Rule 1: what they carry is made of JSON's own kinds, so that it travels from a worker as any report does.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_energy.codec import JsonDict
from pytest_energy.conversion import factor_from_json, judgement_to_json, to_json
from pytest_energy.errors import printable
from pytest_energy.judgement import Judgement
from pytest_energy.plugin.stash import IS_FAILING, JUDGEMENT, REPLAY_ROUNDS
from pytest_energy.run_judgement import SessionFactor

Property = tuple[str, str | float]
Plain = dict[str, Any]
"""JSON's own kinds."""

MORE = "-v shows the rest"

_OF_WORKER = {"worker_id": "workerid", "testrun_uid": "testrunuid"}  # of a report, of the worker's input
_ORIGIN = {*_OF_WORKER, "item_index", "node"}
_PROPERTIES = frozenset({"energy_verdict", "energy_j", "energy_ratio"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A judgement that takes the place of one that was reported, and changes no outcome."""

    test_id: str
    energy: JsonDict
    properties: tuple[Property, ...]


def keep_judgement(item: pytest.Item, judgement: Judgement, *, is_failing: bool) -> None:
    """Put *judgement* where the reports of *item* find it, in place of an earlier one."""
    item.stash[JUDGEMENT], item.stash[IS_FAILING] = judgement, is_failing
    item.user_properties[:] = with_properties(item.user_properties, properties_of(judgement))


def forget_judgement(item: pytest.Item) -> None:
    """Plugins that repeat a failed test do so with the same item."""
    if JUDGEMENT in item.stash:
        del item.stash[JUDGEMENT]
        item.stash[REPLAY_ROUNDS] = []
        item.user_properties[:] = with_properties(item.user_properties, ())


def properties_of(judgement: Judgement) -> tuple[Property, ...]:
    """Verdict and figures for JUnit XML and `--report-log`; what is absent is left out."""
    figures = {
        "energy_j": None if judgement.summary is None else judgement.summary.energy_j,
        "energy_ratio": None if judgement.comparison is None else judgement.comparison.ratio,
    }
    known = ((name, figure) for name, figure in figures.items() if figure is not None)
    return (("energy_verdict", judgement.verdict.value), *known)


def with_properties(
    properties: Iterable[tuple[str, object]], ours: Iterable[Property]
) -> list[tuple[str, object]]:
    """*properties* with *ours* in place of those that were there of the energy."""
    return [*(pair for pair in properties if pair[0] not in _PROPERTIES), *ours]


def judgement_json(item: pytest.Item) -> JsonDict:
    """The judgement of *item* as a plain dict, fit for any transport, with what only its run needs."""
    more = {"replay_rounds": item.stash.get(REPLAY_ROUNDS, []), "is_failing": item.stash[IS_FAILING]}
    return judgement_to_json(item.stash[JUDGEMENT]) | more


def failure_lines(judgement: Judgement, *, is_whole: bool = False) -> list[str]:
    """Why a test fails, in at most four lines, the number first; or the whole reason, if that *is_whole*."""
    reason, brief = judgement.reason.splitlines(), judgement.in_brief.lines
    lines = reason if is_whole or len(reason) <= len(brief) else [*brief, MORE]
    return [*map(printable, lines)]


def failure_text(item: pytest.Item) -> str:
    """Why *item* fails; with `-v` all of it."""
    is_whole = item.config.get_verbosity() > 0
    return "\n".join(failure_lines(item.stash[JUDGEMENT], is_whole=is_whole))


def put_number_first(item: pytest.Item, report: pytest.TestReport) -> None:
    """Have summaries of *report*, if energy has failed *item*, begin with the number, not with `Failed: `."""
    crash, text = getattr(report.longrepr, "reprcrash", None), failure_text(item)
    if crash is not None and crash.message.endswith(f": {text}"):
        crash.message = text.partition("\n")[0]


def revision_of(item: pytest.Item) -> Revision:
    judgement = item.stash[JUDGEMENT]
    return Revision(test_id=item.nodeid, energy=judgement_json(item), properties=properties_of(judgement))


def energy_to_call(reports: Sequence[pytest.TestReport]) -> None:
    """Have the report of the call carry a judgement that had to await the fixtures."""
    calls = [report for report in reports if report.when == "call"]
    for report in reports:
        if report.when == "teardown" and hasattr(report, "energy") and calls:
            vars(calls[0])["energy"] = vars(report).pop("energy")
            calls[0].user_properties = report.user_properties


def final_reports(
    item: pytest.Item, held: Sequence[pytest.TestReport], sections: Sequence[tuple[str, str]] = ()
) -> list[pytest.TestReport]:
    """The reports of *item* that were held back, from its call on, with the judgement that it has now."""
    call, *others = map(copy, held)
    call.sections = [*call.sections, *sections]
    vars(call)["energy"] = judgement_json(item)
    if item.stash[IS_FAILING]:
        _fail(call, item)
    for report in (call, *others):
        report.user_properties = with_properties(report.user_properties, properties_of(item.stash[JUDGEMENT]))
    return [call, *others]


def late_reports(item: pytest.Item, sections: Sequence[tuple[str, str]]) -> list[pytest.TestReport]:
    """Reports of a failure that is known only after those of *item* were logged."""
    call, teardown = (_report(item, when) for when in ("call", "teardown"))
    return final_reports(item, [call, teardown], sections)


def _report(item: pytest.Item, when: str) -> pytest.TestReport:
    call = pytest.CallInfo.from_call(lambda: None, when=when)  # type: ignore[arg-type]  # one of two words
    return pytest.TestReport.from_item_and_call(item, call)


def _fail(report: pytest.TestReport, item: pytest.Item) -> None:
    """Make of *report* what `pytest.fail` inside of the test would have made."""
    text = failure_text(item)
    call = pytest.CallInfo.from_call(lambda: pytest.fail(text, pytrace=False), when="call")
    report.outcome, report.longrepr = "failed", pytest.TestReport.from_item_and_call(item, call).longrepr
    put_number_first(item, report)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The outcome of the end of a run in one process.

    Attributes:
        reports: For each test whose outcome is known only now, those to be logged.
        revisions: Made while they are asked for, as there may be one for each test of the run.
        failure: Why the run fails as a whole, or `None`.
        factors: What the tests of this process have in common.
        notes: What a reader should know of the run, one sentence each.
    """

    reports: tuple[Sequence[pytest.TestReport], ...] = ()
    revisions: Iterable[Revision] = ()
    failure: str | None = None
    factors: tuple[SessionFactor, ...] = ()
    notes: tuple[str, ...] = ()


def ending_to_plain(ending: Ending, config: pytest.Config, item_indices: dict[str, int]) -> Plain:
    """*ending* for its way from a worker to the controller; its reports say what xdist puts into all."""
    origin = {name: config.workerinput[key] for name, key in _OF_WORKER.items()}  # type: ignore[attr-defined]
    return {
        "reports": [
            [
                to_plain(report, config) | origin | {"item_index": item_indices[report.nodeid]}
                for report in reports
            ]
            for reports in ending.reports
        ],
        "revisions": [
            {"test_id": one.test_id, "energy": one.energy, "properties": [*map(list, one.properties)]}
            for one in ending.revisions
        ],
        "failure": ending.failure,
        "factors": [*map(to_json, ending.factors)],
        "notes": list(ending.notes),
    }


def ending_from_plain(plain: Plain, config: pytest.Config, node: object) -> Ending:
    """What a worker has sent.

    Args:
        plain: From `ending_to_plain`.
        config: Of the controller.
        node: The worker, as xdist knows it.
    """
    return Ending(
        reports=tuple(
            [from_plain(one, config, node=node) for one in reports] for reports in plain["reports"]
        ),
        revisions=(
            Revision(
                test_id=one["test_id"],
                energy=one["energy"],
                properties=tuple((name, value) for name, value in one["properties"]),
            )
            for one in plain["revisions"]
        ),
        failure=plain["failure"],
        factors=tuple(factor_from_json(one, "a worker's factor") for one in plain["factors"]),
        notes=tuple(plain["notes"]),
    )


def to_plain(report: pytest.TestReport, config: pytest.Config) -> Plain:
    plain: Plain = config.hook.pytest_report_to_serializable(config=config, report=report)
    return plain


def from_plain(
    plain: Plain, config: pytest.Config, *, node: object = None, like: pytest.TestReport | None = None
) -> pytest.TestReport:
    """The report that `to_plain` was given.

    Args:
        plain: From `to_plain`.
        config: Of this process.
        node: The worker that it is from, as xdist knows it; `None` is this process.
        like: A report that came the same way.
    """
    report: pytest.TestReport = config.hook.pytest_report_from_serializable(config=config, data=dict(plain))
    origin = {} if like is None else {name: value for name, value in vars(like).items() if name in _ORIGIN}
    vars(report).update(origin if node is None else origin | {"node": node})
    return report
