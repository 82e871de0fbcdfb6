"""The two sides of a run: workers, such as those of pytest-xdist, and their controller or the only process.

Rule 1: workers measure and judge; only the controller (or the only process) writes and shows.
Rule 2: notes at the end are asked for in every process that measured, and shown by the controller.
Rule 3: where no energy test came nothing is imported and nothing is asked. Files that were asked for are
written all the same: an older one would pass for this run's.
Rule 4: of a test that runs several times its last run counts, all of it: what any part of it has failed did
not pass.
Rule 5: every process that measured concludes for its own tests when they have run; reports that come of it
are logged by the controller.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_energy.errors import EnergyError, described
from pytest_energy.lazy_module import LazyModule
from pytest_energy.plugin.stash import PROGRESS, RUN, TRIALS, YARDSTICK

if TYPE_CHECKING:
    from pytest_energy.codec import JsonDict
    from pytest_energy.plugin import imports
    from pytest_energy.plugin.reports import Ending
    from pytest_energy.run_judgement import SessionFactor
else:
    imports = LazyModule("pytest_energy.plugin.imports")

Show = Callable[[pytest.TerminalReporter], None]

# The names under which a worker's notes, what its end has brought and its yardstick travel.
_WORKER_NOTES = "energy_run_notes"
_WORKER_ENDING = "energy_ending"
_WORKER_YARDSTICK = "energy_yardstick"

# Options with which pytest lists and runs nothing.
_LISTING = ("collectonly", "setuponly", "showfixtures", "show_fixtures_per_test", "cacheshow")


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of several that a controller started."""
    return hasattr(config, "workerinput")


def worker_count(config: pytest.Config) -> int:
    """Processes among which the tests are dealt out."""
    return int(getattr(config, "workerinput", {}).get("workercount", 1))


def _notes_of_this_process(config: pytest.Config, exit_status: int) -> tuple[str, ...]:
    """What this process has to say of the run as a whole; takes 3 s if it has measured."""
    run = config.stash.get(RUN, None)
    if run is None or exit_status == pytest.ExitCode.INTERRUPTED:  # what somebody stopped ends at once
        return ()
    try:
        return (*run.store_notes(), *run.drift_notes())
    except (EnergyError, RuntimeError) as error:  # RuntimeError: a device that the work has left broken
        return (f"power without work at the end of the run could not be read: {described(error)}",)


def _concluding(
    config: pytest.Config, session: pytest.Session, end: "Callable[[Ending], None]"
) -> Generator[None, object, object]:
    """Conclude for the tests of this process once they have run, however that ends."""
    try:
        result = yield
    except BaseException:  # an interrupt as well: what is known is told
        _conclude(config, session, end, may_confirm=False)
        raise
    _conclude(config, session, end, may_confirm=not (session.shouldfail or session.shouldstop))
    return result


def _conclude(
    config: pytest.Config,
    session: pytest.Session,
    end: "Callable[[Ending], None]",
    *,
    may_confirm: bool,
) -> None:
    trials = config.stash.get(TRIALS, None)
    if trials is not None:
        trials.conclude(session, may_confirm=may_confirm, end=end)


class Worker:
    """Registered in a worker: sends its notes and records to the controller at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        def send(ending: "Ending") -> None:
            indices = {item.nodeid: index for index, item in enumerate(session.items)}
            plain = imports.reports.ending_to_plain(ending, self._config, indices)
            vars(self._config)["workeroutput"][_WORKER_ENDING] = plain

        return (yield from _concluding(self._config, session, send))

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        notes = _notes_of_this_process(self._config, exitstatus)
        if notes:
            vars(self._config)["workeroutput"][_WORKER_NOTES] = list(notes)
        if YARDSTICK in self._config.stash:
            vars(self._config)["workeroutput"][_WORKER_YARDSTICK] = self._config.stash[YARDSTICK].to_json()


class Controller:
    """Registered in the controller: collects the reports of energy tests, and ends the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reports: dict[str, pytest.TestReport] = {}
        self._waiting: dict[tuple[str, str], pytest.TestReport] = {}  # of the set-up, by test and worker
        self._awaiting: dict[
            tuple[str, str], pytest.TestReport
        ] = {}  # of the call, until its fixtures are over
        self._failed: set[tuple[str, str]] = set()  # in any part of its last run
        self._over: set[tuple[str, str]] = set()  # of which the end of a run was reported
        self._skipped: dict[str, None] = {}  # tests
        self._failures: dict[str, None] = {}
        self._factors: list[SessionFactor] = []
        self._run_notes: dict[str, None] = {}  # each once, in the order met
        self._worker_yardsticks: list[JsonDict] = []
        self._show: Show | None = None
        self._session: pytest.Session | None = None
        self._over_count = 0  # tests

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    @pytest.hookimpl(optionalhook=True, tryfirst=True)  # of xdist
    def pytest_testnodedown(self, node: object) -> None:
        self._erase_line()
        output = getattr(node, "workeroutput", {})  # a worker that crashed has none
        self._run_notes |= dict.fromkeys(output.get(_WORKER_NOTES, ()))
        if _WORKER_YARDSTICK in output:
            self._worker_yardsticks.append(output[_WORKER_YARDSTICK])
        if _WORKER_ENDING in output:
            self._end(imports.reports.ending_from_plain(output[_WORKER_ENDING], self._config, node))

    @pytest.hookimpl(wrapper=True, trylast=True)  # innermost: the terminal then writes the last percentage
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        try:
            return (yield from _concluding(self._config, session, self._end))
        finally:
            self._erase_line()
            self._log_as_they_are()

    def _end(self, ending: "Ending") -> None:
        """Log the reports that the end of a process has brought, and make the earlier ones agree."""
        for first, *others in ending.reports:
            earlier = self._reports.get(first.nodeid)
            is_revised = first.when == "call" and earlier is not None and _key(earlier) == _key(first)
            if is_revised and earlier is not None and _key(first) not in self._waiting:
                imports.retraction.retract(self._config, earlier)
                first.duration = earlier.duration
            self._log(first, *others)
        properties = {}
        for one in ending.revisions:
            if one.test_id in self._reports:
                vars(self._reports[one.test_id])["energy"] = one.energy
                properties[one.test_id] = one.properties
        imports.retraction.revise_properties(self._config, properties)
        self._run_notes |= dict.fromkeys(ending.notes)
        self._factors += ending.factors
        if ending.failure is not None:
            self._failures[ending.failure] = None

    def _log_as_they_are(self) -> None:
        """Log what still waits because its process ended before it has concluded."""
        if not self._waiting:
            return
        for setup in [*self._waiting.values()]:
            held = [
                imports.reports.from_plain(plain, self._config, like=setup)
                for plain in vars(setup)["energy_held"]
            ]
            self._log(*held)

    def _log(self, *reports: pytest.TestReport) -> None:
        hook, of = self._config.hook, {"nodeid": reports[0].nodeid, "location": reports[0].location}
        hook.pytest_runtest_logstart(**of)
        for report in reports:
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(**of)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """A test that waits has a sign of its own; it is counted when it is over."""
        return ("", "?", ("SUSPECT", {"yellow": True})) if hasattr(report, "energy_held") else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logstart(self) -> Generator[None, object, object]:
        return (yield from self._beside_the_line())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        self._keep(report)
        return (yield from self._beside_the_line())

    def pytest_enter_pdb(self) -> None:
        self._erase_line()

    def _beside_the_line(self) -> Generator[None, object, object]:
        """Let pytest write, our own line erased; afterwards show how many tests are over in all workers."""
        self._erase_line()
        result = yield
        if self._reports and self._session and self._config.pluginmanager.has_plugin("dsession"):
            progress = imports.progress.progress_of(self._config)
            progress.count(self._over_count, self._session.testscollected)
        return result

    def _erase_line(self) -> None:
        if PROGRESS in self._config.stash:
            self._config.stash[PROGRESS].erase()

    def _keep(self, report: pytest.TestReport) -> None:
        """Keep what *report* says of an energy test."""
        key = _key(report)
        if report.when == "teardown":
            self._over_count += 1
            self._over.add(key)
        elif key in self._over:
            self._forget(report)
        if report.failed:  # a part of a test, a subtest, may come before its set-up
            self._failed.add(key)
        if getattr(report, "energy_skipped", False):
            self._skipped[report.nodeid] = None
        if hasattr(report, "energy_held"):
            self._waiting[key] = report
            self._reports[report.nodeid] = report  # keeps its place
        elif getattr(report, "energy_awaited", False) and not hasattr(report, "energy"):
            self._awaiting[key] = report
        elif hasattr(report, "energy"):
            self._waiting.pop(key, None)
            call = self._awaiting.pop(key, report)
            vars(call)["energy"] = report.energy
            self._reports[report.nodeid] = call

    def _forget(self, report: pytest.TestReport) -> None:
        """Have nothing of an earlier run of the test that *report* is of count."""
        earlier = self._reports.get(report.nodeid)
        if earlier is not None and _key(earlier) == _key(report):
            del self._reports[report.nodeid]
        self._over.discard(_key(report))
        self._failed.discard(_key(report))
        self._skipped.pop(report.nodeid, None)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        has_energy_tests = bool(self._reports or self._skipped)
        if has_energy_tests:
            self._run_notes |= dict.fromkeys(_notes_of_this_process(self._config, exitstatus))
        if has_energy_tests or self._is_asked_for_files():
            for report in self._reports.values():
                if _key(report) in self._failed:
                    vars(report)["energy"]["outcome"] = "failed"
            yardstick = imports.yardstick.of_all_processes(self._config, self._worker_yardsticks)
            summary = imports.summary.Summary(
                self._config,
                self._reports.values(),
                run_notes=(*_skipped_notes(self._skipped), *self._run_notes),
                failures=self._failures,
                factors=self._factors,
                yardstick=yardstick,
            )
            self._show = summary.show
            if self._failures and exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            if not summary.write():
                session.exitstatus = pytest.ExitCode.USAGE_ERROR
            summary.warn()  # asks other plugins, which may fail: what was asked for is written by now

    def _is_asked_for_files(self) -> bool:
        run = self._config.stash.get(RUN, None)  # it is there if an option is set
        is_listing = any(self._config.getoption(name, default=None) for name in _LISTING)
        return run is not None and run.settings.writes_files and not is_listing

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._show is not None:
            self._show(terminalreporter)


def _skipped_notes(test_ids: Iterable[str]) -> Iterator[str]:
    """That tests were skipped, in a sentence; it names the first of them."""
    skipped = [*test_ids]
    if len(skipped) == 1:
        yield f"1 energy test was skipped and has no verdict: {skipped[0]}"
    elif skipped:
        yield f"{len(skipped)} energy tests were skipped and have no verdict. The first is {skipped[0]}"


def _key(report: pytest.TestReport) -> tuple[str, str]:
    """The test and the worker that ran it: with `--dist=each` every worker runs every test."""
    return report.nodeid, getattr(report, "worker_id", "")
