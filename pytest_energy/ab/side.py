"""The command's end of one worker: its tree, its process, and the messages.

Rule 1: the code under test comes from the side's own tree: whatever of the import path lies in the working
    tree is replaced by the same place in the side's tree, and is first.
Rule 2: a process that ends too early is an error that shows the last lines of its output.
Rule 3: no process outlives the command: first it is asked to end, then its whole group is made to.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from pytest_energy.ab.protocol import (
    PIPES,
    PLUGIN,
    CollectedTests,
    EndOrder,
    FinishedTest,
    FinishOrder,
    ReadyTest,
    RoundMessage,
    RoundOrder,
    TestOrder,
    from_line,
    to_line,
)
from pytest_energy.ab.worktree import without_git_variables
from pytest_energy.codec import Document
from pytest_energy.conversion import reading_of
from pytest_energy.errors import EnergyError
from pytest_energy.model import Reading

M = TypeVar("M", bound=Document)
N = TypeVar("N", bound=Document)

OUTPUT = "  | "
"""In front of each line of a process's output."""

_TAIL_LINES = 20  # enough for the end of a traceback and pytest's last line
_LOOK_S = 1.0  # how often a silent worker is looked after
_END_S = 10.0  # for the tear-down of a session's fixtures
_INTERRUPTED_S = 3.0  # the same after Ctrl-C or an error, when somebody waits
_BLOCK = 65536


class SideEnded(EnergyError):
    """A worker ended too early, or sent a message that can't be read."""


class EndedEarly(Exception):
    """A test of one side has ended instead of taking a round; no error by itself.

    Attributes:
        done: How.
    """

    def __init__(self, done: FinishedTest) -> None:
        super().__init__(done.outcome)
        self.done = done


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Where one side's files are.

    Attributes:
        name: For people: `main (abc1234)`, or `the working tree`.
        root: Top of the side's tree.
        origin: Top of the working tree.
        folder: Where the command was started, relative to the top.
        variables: Of the environment, which this side has beside those that both have.
    """

    name: str
    root: Path
    origin: Path
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def working_folder(self) -> Path:
        """Where this side's pytest is started."""
        return self.root / self.folder

    def moved(self, word: str) -> str:
        """*word* of a command line, with a path into the working tree turned into one into this tree."""
        option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        if value != str(self.origin) and not value.startswith(f"{self.origin}{os.sep}"):
            return word
        return f"{option}{equals}{self.root}{value.removeprefix(str(self.origin))}"

    def import_path(self, search_path: Sequence[str], python_path: str) -> str:
        """`PYTHONPATH` for this side, from this process's `sys.path` and `PYTHONPATH`, which may be empty.

        An editable install has put a tree into the former.
        """
        own = (self.working_folder, self.working_folder / "src", self.root, self.root / "src")
        installed = [Path(word) for word in search_path if _is_source(Path(word), self.origin)]
        added = [self.moved(word) for word in python_path.split(os.pathsep) if word]
        moved = [self.moved(str(path)) for path in installed]
        there = [str(path) for path in own if path.is_dir()]
        return os.pathsep.join(dict.fromkeys([*there, *moved, *added]))


def _is_source(path: Path, origin: Path) -> bool:
    """Whether *path* is a folder of the working tree that holds sources, not installed packages."""
    is_installed = {"site-packages", "dist-packages"} & set(path.parts)
    return path.is_relative_to(origin) and path.is_dir() and not is_installed


def shared_sources(before: Mapping[str, str], after: Mapping[str, str], origin: Path) -> dict[str, str]:
    """Modules of the project that both sides have from one file: they are not what is compared.

    What lies in *origin*, the working tree, or has the name of something in it, is the project's.
    """
    return {
        name: file
        for name, file in sorted(before.items())
        if after.get(name) == file and (_is_source(Path(file).parent, origin) or _is_named_in(name, origin))
    }


def own_sources(sources: Mapping[str, str], root: Path) -> tuple[str, ...]:
    """Names of the modules that come from the tree *root*."""
    return tuple(name for name, file in sorted(sources.items()) if _is_source(Path(file).parent, root))


def _is_named_in(name: str, origin: Path) -> bool:
    return any(
        (folder / name / "__init__.py").is_file() or (folder / f"{name}.py").is_file()
        for folder in (origin, origin / "src")
    )


class Worker:
    """A running worker, heard on the descriptor *reads* and spoken to on *writes*; *log* has what it prints.

    Attributes:
        sources: Modules that it has imported, as in `CollectedTests`.
    """

    def __init__(
        self, tree: Tree, process: "subprocess.Popen[bytes]", reads: int, writes: int, log: Path
    ) -> None:
        self.tree, self._process, self._log = tree, process, log
        self._reads, self._writes = reads, writes
        self._heard = b""
        self.sources: dict[str, str] = {}

    # What it is told

    def collected(self) -> CollectedTests:
        """What it has collected; waits for that."""
        collected = self._hear(CollectedTests)
        self.sources |= collected.sources
        return collected

    def begin(self, test_id: str, next_id: str | None) -> ReadyTest | FinishedTest:
        self._say(TestOrder(id=test_id, next_id=next_id))
        answer = self._hear(ReadyTest, FinishedTest)
        return answer if isinstance(answer, ReadyTest) else self._done(answer)

    def take_round(self, call_count: int) -> Reading:
        self._say(RoundOrder(call_count=call_count))
        answer = self._hear(RoundMessage, FinishedTest)
        if isinstance(answer, FinishedTest):
            raise EndedEarly(self._done(answer))
        return reading_of(answer.reading, answer.provenance, self._where)

    def finish(self) -> FinishedTest:
        self._say(FinishOrder())
        return self._done(self._hear(FinishedTest))

    def _done(self, test: FinishedTest) -> FinishedTest:
        self.sources |= test.sources
        return test

    # How it is talked to

    @property
    def _where(self) -> str:
        return f"a message of {self.tree.name}"

    def _say(self, message: Document) -> None:
        try:
            os.write(self._writes, to_line(message).encode())
        except BrokenPipeError as error:
            raise self._ended() from error

    def _hear(self, kind: type[M], *others: type[N]) -> M | N:
        while b"\n" not in self._heard:
            self._heard += self._more()
        line, _, self._heard = self._heard.partition(b"\n")
        try:
            return from_line(line.decode(), self._where, kind, *others)
        except EnergyError as error:
            raise SideEnded(f"{error}; is the same pytest-energy installed on both sides?") from error

    def _more(self) -> bytes:
        """The next bytes; a worker that has ended may have left its pipe to a process of its own."""
        while not select.select([self._reads], [], [], _LOOK_S)[0]:
            if self._process.poll() is not None:
                raise self._ended()
        heard = os.read(self._reads, _BLOCK)
        if not heard:
            raise self._ended()
        return heard

    def _ended(self) -> SideEnded:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        status = self._process.poll()
        state = (
            "is still running, but does not answer" if status is None else f"ended with exit status {status}"
        )
        output = last_lines(self._log)
        return SideEnded(f"pytest on {self.tree.name} {state}; the last lines of its output:\n{output}")

    # How it ends

    def end(self, *, is_urgent: bool) -> None:
        """Have it end: by a word and, if that takes too long or is urgent, by signals to its whole group."""
        if self._process.poll() is None:
            with suppress(OSError):
                os.write(self._writes, to_line(EndOrder()).encode())
        os.close(self._writes)
        try:
            self._process.wait(0.0 if is_urgent else _END_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_INTERRUPTED_S)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            os.close(self._reads)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def last_lines(log: Path) -> str:
    """The end of what a process has printed to *log*, marked as its output."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n".join(f"{OUTPUT}{line}" for line in lines) or f"{OUTPUT}(nothing)"


@contextmanager
def worker(tree: Tree, arguments: Sequence[str], log: Path) -> Iterator[Worker]:
    """A worker over *tree*, for as long as the block runs: pytest with the user's *arguments*."""
    to_read, to_write = os.pipe()
    its_read, its_write = os.pipe()
    asked = {**os.environ, **tree.variables}
    environ = without_git_variables(asked) | {
        PIPES: f"{its_read},{to_write}",
        "PYTHONPATH": tree.import_path(sys.path, asked.get("PYTHONPATH", "")),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # this very interpreter
            [sys.executable, *_words(tree, arguments)],
            cwd=tree.working_folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(its_read, to_write),
            start_new_session=True,  # Ctrl-C is for the command, which then ends its workers
        )
    os.close(its_read)
    os.close(to_write)
    started = Worker(tree, process, to_read, its_write, log)
    is_urgent = True  # until the block has come to its end
    try:
        yield started
        is_urgent = False
    finally:
        started.end(is_urgent=is_urgent)


def _words(tree: Tree, arguments: Sequence[str]) -> list[str]:
    """The command line of pytest; what was said last wins there."""
    words = ["-m", "pytest", "-p", PLUGIN, *(tree.moved(word) for word in arguments)]
    words += ["--energy-baseline=off", "--energy-yardstick=off"]  # each side is compared with the other alone
    return [*words, "-n0"] if find_spec("xdist") is not None else words
