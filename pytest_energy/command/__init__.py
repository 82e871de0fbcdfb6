"""A command as work: one call runs a program, with all processes that it starts.

Rule 1: the tree of processes ends with its call. Whatever is left of it when the command has ended, its time
is up or the test is interrupted gets SIGTERM, and SIGKILL if it stays.
Rule 2: a command that fails is no round: an exit status other than 0 stops the test with what it wrote.
Rule 3: no credential of the command is in any text about it: arguments, variables, output.
Rule 4: output goes to files: a pipe would have to be emptied while it is measured, and would stay open for as
long as any process of the tree held it.
Rule 5: which rank is on which device is looked up in the first call alone: the warm-up, if there is one.
"""

import math
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import psutil

from pytest_energy.command.launched_ranks import LaunchedRanks, inherited_ranks
from pytest_energy.errors import Absent, EnergyError, SettingsError
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.masking import (
    Hidden,
    keep_named_secrets,
    keep_secrets_of_words,
    masked_foreign,
    masked_words,
)
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.model import A_COMMAND, Reading
from pytest_energy.system import IS_WINDOWS
from pytest_energy.work import Trace, WorkDescription

GRACE_S = 5.0  # between SIGTERM and SIGKILL: some frameworks write a checkpoint
_KILLED_S = 5.0  # a killed process is gone at once, unless the kernel waits for a device
_LOOK_S = 0.01
_RANKS_LOOK_S = 0.2  # a process that trains or serves has its device open for seconds
_LINE_COUNT = 20  # of its output in an error: all of it is in the test's captured output


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CommandResult:
    """The result of one call of a command; its `repr` hides secrets.

    Attributes:
        args: The program and its arguments.
        exit_status: Exit status of the program; -N if signal N ended it.
        stdout: Output of the program and its children; bytes that are not UTF-8 are replaced.
        stderr: The same.
    """

    args: tuple[str, ...]
    exit_status: int
    stdout: str
    stderr: str

    def __repr__(self) -> str:
        stdout, stderr = map(masked_foreign, (self.stdout, self.stderr))
        return f"CommandResult({_shown(self.args)}: {self.exit_status}, {stdout=}, {stderr=})"


class CommandError(EnergyError):
    """A command could not be started, failed, or took too long.

    Attributes:
        command: The program and its arguments.
        result: The result of the command; `None` if it could not be started.
    """

    def __init__(self, command: Sequence[str], because: str, result: CommandResult | None = None) -> None:
        texts = {"stderr": result.stderr, "stdout": result.stdout} if result else {}
        outputs = {name: masked_foreign(text) for name, text in texts.items()}
        name = next((name for name, text in outputs.items() if text.strip()), None)
        wrote = f"; the end of its {name}:" if name else ""
        lines = outputs[name].strip().splitlines()[-_LINE_COUNT:] if name else []
        super().__init__("\n  ".join([f"{_shown(command)}: {because}{wrote}", *lines]))
        self.command, self.result = tuple(command), result


@dataclass(slots=True, kw_only=True)
class CommandWork:
    """Calls of one command; the other attributes are the arguments of `energy.command`.

    Attributes:
        args: Hidden, as *env* is: pytest shows the arguments of every function in a traceback.
        grace_s: Seconds between SIGTERM and SIGKILL.
        ranks: Looks which rank is on which device; `None` if nobody wants to know.

    Raises:
        SettingsError: There is no program, or an argument is outside its range.
    """

    args: Hidden[Sequence[str | os.PathLike[str]]]
    samples: int | None = None
    timeout_s: float | None = None
    env: Hidden[Mapping[str, str]] = field(default_factory=lambda: Hidden({}))
    cwd: str | os.PathLike[str] | None = None
    is_checked: bool = True
    may_repeat: bool = False
    call_count: int = 1
    grace_s: float = GRACE_S
    ranks: LaunchedRanks | None = None
    _left_count: int = 0

    def __post_init__(self) -> None:
        if IS_WINDOWS:
            raise SettingsError(
                "energy.command is not available on Windows: a command's processes aren't known there"
            )
        because = _why_no_words(self.args) or _why_no_variables(self.env)
        if because is not None:
            raise SettingsError(f"energy.command: {because}")
        if self.timeout_s is not None and not 0 < self.timeout_s < math.inf:
            raise SettingsError(f"energy.command: timeout_s must be above 0. Got {self.timeout_s}")
        if self.cwd is not None and not Path(self.cwd).is_dir():
            raise SettingsError(f"energy.command: cwd is {os.fspath(self.cwd)!r}, which is not a folder")
        keep_secrets_of_words(self.words)
        keep_named_secrets(self.env.value)

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(os.fspath(word) for word in self.args.value)

    def prepare(self) -> None:
        self._left_count = 0

    def run(self, index: int, _window: OpenWindow | None, /) -> CommandResult:
        """Run the command to its end.

        Raises:
            CommandError: It could not be started, failed, or took too long.
        """
        with TemporaryFile() as stdout, TemporaryFile() as stderr:
            process = self._started(stdout, stderr)
            with self._looking(process.pid) if index == 0 else nullcontext():
                exit_status, is_late = self._wait_for(process)
            result = CommandResult(
                args=self.words, exit_status=exit_status, stdout=_text(stdout), stderr=_text(stderr)
            )
        because = self._why_failed(exit_status, is_late=is_late)
        if because is not None:
            sys.stdout.write(masked_foreign(result.stdout))  # whole, for the report of the test
            sys.stderr.write(masked_foreign(result.stderr))
            raise CommandError(self.words, because, result)
        return result

    def _started(self, stdout: IO[bytes], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603  # the command that the test gives
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **self.env.value},
                cwd=self.cwd,
                start_new_session=True,  # by which its processes are known, whoever their parent is by then
            )
        except (OSError, ValueError) as error:  # a zero in a word
            because = getattr(error, "strerror", None) or str(error)
        # Not from the error, whose frames hold the words and the whole environment.
        raise CommandError(self.words, f"can't be started: {because}")

    @contextmanager
    def _looking(self, leader: int) -> Iterator[None]:
        """Meanwhile, look which rank is on which device."""
        ranks, has_ended = self.ranks, threading.Event()
        if ranks is None:
            yield
            return

        def look() -> None:
            while not has_ended.wait(_RANKS_LOOK_S) and ranks.look(leader):
                pass

        thread = threading.Thread(target=look, name="pytest-energy-ranks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            has_ended.set()
            thread.join()

    def _wait_for(self, process: subprocess.Popen[bytes]) -> tuple[int, bool]:
        """The exit status, however the end comes, and whether it came because the time was up."""
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            _end_tree(process.pid, self.grace_s)

        # Not `wait(timeout)`, which looks from time to time only, and up to 50 ms late.
        timer = None if self.timeout_s is None else threading.Timer(self.timeout_s, end)
        if timer is not None:
            timer.start()
        try:
            process.wait()
        finally:
            if timer is not None:
                timer.cancel()
                timer.join()
            self._left_count += _end_tree(process.pid, self.grace_s)
            exit_status = process.wait()
        return exit_status, is_late.is_set()

    def _why_failed(self, exit_status: int, *, is_late: bool) -> str | None:
        if is_late:
            return (
                f"still running after timeout_s={self.timeout_s:g}; it and all that it had started were "
                "stopped"
            )
        if exit_status == 0 or not self.is_checked:
            return None
        if exit_status < 0:
            return f"ended by {_signal_name(-exit_status)}"
        return f"exit status {exit_status}"

    def conclude(self, reading: Reading) -> Reading:
        if not self._left_count:
            return reading
        note = f"{self._left_count} process(es) that the command left behind were stopped"
        return replace(reading, quality=(*reading.quality, note))

    def description(self, _round_count: int, /) -> WorkDescription:
        """The words explain a change, and don't forbid to compare: a path in them may differ in each run."""
        return WorkDescription(
            samples=self.samples,
            workload=A_COMMAND,
            engine_settings={"command": _shown(self.words)},
            roles=self.ranks.roles if self.ranks is not None else {},
        )

    def counts(self, _trace: Trace, /) -> Absent:
        return Absent("a command runs in its own process, where its calls aren't counted")


def new_ranks(
    processes: Callable[[], Mapping[str, Collection[int]]], given: Collection[str]
) -> LaunchedRanks:
    """What looks which rank is on which device.

    Args:
        processes: Of each channel, those that have its device open; asked once a command runs.
        given: Names of the variables that the test gives the command.
    """
    return LaunchedRanks(processes=processes, inherited=inherited_ranks(given))


def _why_no_words(args: Hidden[Sequence[object]]) -> str | None:
    if isinstance(args.value, str):
        return (
            f"the command must be a list of words, as no shell reads it: {masked_words(_split(args.value))!r}"
        )
    if not args.value:
        return "the list is empty; its first word is the program"
    for index, word in enumerate(args.value):
        if not isinstance(word, str | os.PathLike):
            return f"word {index} of the list is of type {type(word).__name__}, not a text"
    return None


def _why_no_variables(env: Hidden[Mapping[Any, Any]]) -> str | None:
    for name, value in env.value.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            return f"env[{name!r}] is of type {type(value).__name__}, not a text"
    return None


def _shown(words: Sequence[str]) -> str:
    return shlex.join(masked_words(words)).replace("'***'", "***")


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote has no end
        return text.split()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


# The tree


def _end_tree(leader: int, grace_s: float) -> int:
    """End the session of the process *leader*, and what its members have started; how many there were."""
    tree = _tree(leader)
    for process in tree:
        with suppress(psutil.Error):  # it has ended, or is somebody else's by now
            process.terminate()
    _await_end(tree, grace_s)
    stubborn = {*_tree(leader), *filter(_is_alive, tree)}
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()
    _await_end(stubborn, _KILLED_S)
    return len(tree)


def _tree(leader: int) -> set[psutil.Process]:
    members = set()
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):  # it has ended
            if os.getsid(pid) == leader:
                members.add(psutil.Process(pid))
    for process in tuple(members):
        with suppress(psutil.Error):
            members |= {*process.children(recursive=True)}  # also those that began a session of their own
    return {process for process in members if _is_alive(process)}


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _await_end(processes: Collection[psutil.Process], longest_s: float) -> None:
    """Look rather than wait: the end of a child is for its own `Popen` to collect."""
    stop_s = MACHINE_TIME.now_s() + longest_s
    while MACHINE_TIME.now_s() < stop_s and any(map(_is_alive, processes)):
        MACHINE_TIME.sleep_s(_LOOK_S)
