"""A command as work: its end and that of its tree, whatever ends it, and what it wrote."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_energy.command import CommandError, CommandWork
from pytest_energy.errors import SettingsError
from pytest_energy.masking import Hidden
from pytest_energy.model import Provenance, Reading

FOREVER = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}], start_new_session={is_apart})
pathlib.Path("pid").write_text(str(child.pid))
{then}
"""


def command(args: Any, *, env: Any = None, **arguments: Any) -> CommandWork:
    """Calls of one command, as `energy.command` makes them."""
    return CommandWork(args=Hidden(args), env=Hidden(env or {}), **arguments)


def python(code: str, **arguments: object) -> CommandWork:
    """A program in Python; its processes are killed soon after SIGTERM."""
    return command([sys.executable, "-c", code], grace_s=0.3, **arguments)


def parent(child: str, *, then: str = "time.sleep(60)", is_apart: bool = False) -> str:
    """A program that starts another, writes its number to the file `pid`, and goes on with *then*."""
    return PARENT.format(child=child, then=then, is_apart=is_apart)


def given_up(code: str, *, once: Callable[[], bool]) -> CommandError:
    """The error of a timeout that came *once* the program had begun: a busy machine is given more time."""
    for timeout_s in (0.7, 3.5, 17.5):
        with pytest.raises(CommandError, match=f"still running after timeout_s={timeout_s};") as caught:
            python(code, timeout_s=timeout_s).run(0, None)
        if once():
            break
    return caught.value


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def child_pid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The number of the child that `parent` has started, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda: int((tmp_path / "pid").read_text())


def test_what_it_writes_is_returned() -> None:
    """Exit status and both outputs; bytes that are no text are replaced."""
    result = python("import sys; print('out'); sys.stderr.buffer.write(b'err \\xff')").run(0, None)
    assert (result.exit_status, result.stdout, result.stderr) == (0, "out\n", "err \N{REPLACEMENT CHARACTER}")


def test_it_runs_where_and_with_what_it_is_given(tmp_path: Path) -> None:
    """Folder and variables are the command's; the other variables are this process's; its input is empty."""
    code = "import os, sys; print(os.getcwd(), os.environ['GIVEN'], 'PATH' in os.environ, sys.stdin.read())"
    result = python(code, cwd=tmp_path, env={"GIVEN": "yes"}).run(0, None)
    assert result.stdout.split() == [str(tmp_path.resolve()), "yes", "True"]


def test_a_failing_command_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    """The error holds the result and names command, status and last lines; the test's output holds all."""
    code = "import sys; print('begun'); [print('line', n, file=sys.stderr) for n in range(50)]; sys.exit(3)"
    with pytest.raises(CommandError) as caught:
        python(code).run(0, None)
    error = caught.value
    assert error.result is not None
    assert (error.result.exit_status, error.result.stdout) == (3, "begun\n")
    first, *lines = str(error).splitlines()
    assert first.startswith(sys.executable)
    assert first.endswith(": exit status 3; the end of its stderr:")
    assert lines == [f"  line {n}" for n in range(30, 50)]
    shown = capfd.readouterr()
    assert (shown.out, len(shown.err.splitlines())) == ("begun\n", 50)


KEY = "open-sesame-0123"
ECHO = "import os, sys; print(sys.argv, os.environ.get('MY_TOKEN')); sys.exit(1)"


@pytest.mark.parametrize(
    "words",
    [
        ["--api-key", KEY],
        [f"--token={KEY}"],
        ["-H", f"Authorization: Bearer {KEY}"],
        ["sh", "-c", f"MY_KEY={KEY} serve"],
        ["sh", "-c", f"serve --password '{KEY}'"],
        [f'{{"api_key": "{KEY}"}}'],
        [f"http://me:{KEY}@host/"],
        [],
    ],
)
def test_no_secret_of_a_command_is_in_what_is_said_of_it(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Known by its option's or variable's name: in the error, the facts, each `repr` and what is shown."""
    work = command([sys.executable, "-c", ECHO, *words], env={"MY_TOKEN": f"{KEY}-4"})
    with pytest.raises(CommandError) as caught:
        work.run(0, None)
    result, shown = caught.value.result, capfd.readouterr()
    assert result is not None
    assert f"{KEY}-4" in result.stdout  # as the test needs it
    texts = (str(caught.value), repr(caught.value), repr(result), repr(work), shown.out, shown.err)
    for text in (*texts, *work.description(1).engine_settings.values()):
        assert KEY not in text
    assert "***" in shown.out
    assert shlex.join([sys.executable, "-c", ECHO]) in str(caught.value)  # the rest is as it was


def test_an_option_of_few_letters_covers_no_word_of_the_output() -> None:
    """`--pad-token 0` is hidden in the command and nowhere else."""
    with pytest.raises(CommandError) as caught:
        command([sys.executable, "-c", "import sys; sys.exit('took 0 s')", "--pad-token", "0"]).run(0, None)
    assert "--pad-token ***" in str(caught.value)
    assert "took 0 s" in str(caught.value)


def test_without_an_error_output_the_other_is_named() -> None:
    """Many tools complain on stdout; one that writes nothing has no lines."""
    with pytest.raises(CommandError, match=r"exit status 1; the end of its stdout:\n  complaint$"):
        python("import sys; print('complaint'); sys.exit(1)").run(0, None)
    with pytest.raises(CommandError, match=r": exit status 1$"):
        python("import sys; sys.exit(1)").run(0, None)


def test_a_signal_is_named() -> None:
    """A negative status is the number of a signal."""
    with pytest.raises(CommandError, match=r": ended by SIGKILL$") as caught:
        python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").run(0, None)
    assert caught.value.result is not None
    assert caught.value.result.exit_status == -signal.SIGKILL


def test_a_signal_without_a_name_has_its_number() -> None:
    """Most real-time signals have no name; the command that one ends is an error all the same."""
    number = signal.SIGRTMIN + 1
    with pytest.raises(CommandError, match=rf": ended by signal {number}$") as caught:
        python(f"import os; os.kill(os.getpid(), {number})").run(0, None)
    assert caught.value.result is not None
    assert caught.value.result.exit_status == -number


def test_an_unchecked_status_is_no_error() -> None:
    """Who looks at the status himself gets it."""
    assert python("import sys; sys.exit(3)", is_checked=False).run(0, None).exit_status == 3


@pytest.mark.parametrize("name", ["no-such-program", "/", "no\x00name"])
def test_what_can_not_be_started_is_an_error(name: str) -> None:
    """A program that isn't there, a file that is none, a name that none has: with the reason, no result."""
    with pytest.raises(CommandError, match=r"^.*: can't be started: \w+") as caught:
        command([name]).run(0, None)
    assert caught.value.result is None
    assert caught.value.__cause__ is caught.value.__context__ is None  # their frames hold every variable


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"args": "python train.py"}, r"a list of words.*\['python', 'train.py'\]"),
        ({"args": "serve it's --api-key sesame"}, r"\['serve', \"it's\", '--api-key', '\*\*\*'\]"),
        ({"args": []}, "the list is empty"),
        ({"args": ["serve", 8000]}, "word 1 of the list is of type int"),
        ({"args": ["true"], "env": {"N": 3}}, r"env\['N'\] is of type int"),
        ({"args": ["true"], "timeout_s": 0.0}, "timeout_s must be above 0. Got 0.0"),
        ({"args": ["true"], "cwd": "no/such/folder"}, "'no/such/folder', which is not a folder"),
    ],
)
def test_what_is_no_command_is_refused(arguments: dict[str, Any], match: str) -> None:
    """Before anything is started."""
    with pytest.raises(SettingsError, match=match):
        command(**arguments)


@pytest.mark.parametrize("child", [FOREVER, STUBBORN + "time.sleep(60)"], ids=["willing", "stubborn"])
@pytest.mark.parametrize("is_apart", [False, True], ids=["in its session", "in another"])
def test_a_timeout_ends_the_whole_tree(child: str, *, is_apart: bool, child_pid: Callable[[], int]) -> None:
    """A child is ended with its parent, also one that ignores SIGTERM or has a session of its own."""
    given_up(parent(child, is_apart=is_apart), once=Path("pid").exists)
    assert not is_alive(child_pid())


def test_an_ended_command_keeps_what_it_wrote(tmp_path: Path) -> None:
    """The error of a timeout holds the output so far."""
    began = tmp_path / "began"
    code = f"import pathlib; print('so far', flush=True); pathlib.Path({str(began)!r}).touch(); {FOREVER}"
    error = given_up(code, once=began.exists)
    assert error.result is not None
    assert error.result.stdout == "so far\n"


def test_a_limit_that_is_kept_changes_nothing() -> None:
    """A command that is over before its time leaves no thread behind that would end another."""
    work = python("print('over')", timeout_s=30.0)
    began_s = time.monotonic()
    assert work.run(0, None).stdout == "over\n"
    assert time.monotonic() - began_s < 15.0


def test_what_is_left_behind_ends_with_the_round(child_pid: Callable[[], int]) -> None:
    """A server left running would work in the next round: it ends, and the reading says so."""
    work = python(parent(FOREVER, then=""))
    work.prepare()
    work.run(0, None)
    assert not is_alive(child_pid())
    reading = Reading(
        channels={"gpu:0": 1.0}, duration_s=1.0, uncertainty_j=0.0, provenance=Provenance.MEASURED
    )
    assert len(work.conclude(reading).quality) == 1
    work.prepare()
    assert work.conclude(reading) is reading


def test_an_interrupt_leaves_nothing_behind(child_pid: Callable[[], int]) -> None:
    """Ctrl-C in the middle: it goes on, and the tree has ended by then."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def interrupt_once_it_has_a_child() -> None:
        while not Path("pid").exists() or not Path("pid").read_text():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, interrupt)
    threading.Thread(target=interrupt_once_it_has_a_child, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            python(parent(STUBBORN + "time.sleep(60)")).run(0, None)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not is_alive(child_pid())


def test_its_time_is_the_runs_own() -> None:
    """What a command and its children computed is among the seconds of this process's children."""
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    before_s = sum(os.times()[2:4])
    python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)").run(
        0, None
    )
    assert sum(os.times()[2:4]) - before_s >= 0.3


def test_records_of_a_command_are_no_records_of_a_function() -> None:
    """What was measured must be equal; the words only explain: a path in them may be new in each run."""
    one, other = (command(["train", Path(folder)]).description(1) for folder in ("run-1", "run-2"))
    assert one.workload == other.workload == {"measured": "a command"}
    assert other.engine_settings == {"command": "train run-2"}


def test_a_stranger_is_left_alone() -> None:
    """A process that isn't of the tree outlives it."""
    stranger = subprocess.Popen([sys.executable, "-c", FOREVER])  # noqa: S603  # ours
    try:
        python("pass").run(0, None)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
