import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from pytest_energy.meter import device_lock
from pytest_energy.meter.device_lock import DeviceBusy, Patience, owned
from pytest_energy.meter.holder import Holder
from tests.fakes.holding_process import holding

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """A device that no other process, and no other run of these tests, has heard of."""
    return f"board-{os.getpid()}-{request.node.name}"


def patience(limit_s: float = 0.0, *, step_s: float = 1.0, tell: Callable[[str], None] = print) -> Patience:
    """With a clock on which each look takes *step_s*."""
    now_s = count(0.0, step_s)
    return Patience(limit_s=limit_s, now_s=lambda: next(now_s), tell=lambda _pid, text, _s: tell(text))


def is_free(device: str) -> bool:
    try:
        with owned([device], patience()):
            return True
    except DeviceBusy:
        return False


@contextmanager
def name_bound(device: str, *, connected: int | None = None) -> Iterator[None]:
    """Somebody has taken the name of *device*, and listens at it for *connected* callers or not at all."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(b"\0pytest-energy/" + device.encode())
        if connected is None:
            yield
            return
        one.listen(0)
        callers = [socket.socket(socket.AF_UNIX) for _ in range(connected)]
        try:
            for caller in callers:
                caller.connect(one.getsockname())
            yield
        finally:
            for caller in callers:
                caller.close()


class TestOwned:
    def test_one_process_at_a_time(self, device: str) -> None:
        """What another process measures is not measured here, until that one has ended."""
        with holding(device):
            assert not is_free(device)
        assert is_free(device)

    @pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
    def test_nothing_is_left_behind(self, device: str, end: signal.Signals) -> None:
        """However a process ends, its device is free at once."""
        with holding(device) as process:
            process.send_signal(end)
            process.wait()
            assert is_free(device)

    def test_who_waits_is_woken(self, device: str) -> None:
        """Who waits goes on when the device is free, long before its time is up."""
        texts = []
        with holding(device) as process:

            def tell(text: str) -> None:
                texts.append(text)
                process.kill()

            with owned([device], patience(600.0, step_s=10.0, tell=tell)):
                assert not is_free(device)
        (text,) = texts
        assert text.startswith(
            f"waiting for {device}, 10 s so far; it is measured by pid {process.pid} (python"
        )

    def test_a_time_limit(self, device: str) -> None:
        """A wait ends with the time, the process, its command and since when it runs, and what to do."""
        with holding(device) as process, pytest.raises(DeviceBusy) as caught, owned([device], patience(1.0)):
            pass
        assert f"{device} was measured by another run for 1 s without a break: by pid {process.pid} " in str(
            caught.value
        )
        assert "running since 20" in str(caught.value)
        assert "--energy-device-wait=S" in str(caught.value)

    def test_a_process_that_is_stopped(self, device: str) -> None:
        """A stopped process is named as such: it can't answer, and the kernel does."""
        with holding(device) as process:
            process.send_signal(signal.SIGSTOP)
            while f"State:\tT" not in Path(f"/proc/{process.pid}/status").read_text():  # noqa: F541
                time.sleep(0.001)
            with pytest.raises(DeviceBusy, match=rf"stopped \(kill -CONT {process.pid} "):
                owned([device], patience()).__enter__()

    def test_a_process_that_was_in_vain_waited_for(self, device: str) -> None:
        """It is waited for no more than a moment the next time, as each test of a run would wait anew."""
        one = patience(600.0, step_s=600.0)
        with holding(device) as process:
            assert one.limit_for_s(device, process.pid) == 600.0
            with pytest.raises(DeviceBusy):
                owned([device], one).__enter__()
            assert one.limit_for_s(device, process.pid) == 5.0
            assert one.limit_for_s("another", process.pid) == 600.0

    def test_hands_that_change(self, device: str) -> None:
        """The time counts anew for each process that holds the device: others get on."""
        now_s = iter([0.0, 400.0, 500.0, 900.0, 1000.0])  # of each wait: when it began, and a look
        ended: list[float] = []
        with ExitStack() as stack:
            stack.enter_context(holding(device))

            def end(holder: Holder, _text: str, waited_s: float) -> None:
                """Whoever holds the device ends, and the first time another process takes it."""
                os.kill(holder.pid, signal.SIGKILL)
                if not ended:
                    stack.close()
                    stack.enter_context(holding(device))
                ended.append(waited_s)

            with owned([device], Patience(limit_s=600.0, now_s=lambda: next(now_s), tell=end)):
                assert ended == [400.0, 400.0]

    @pytest.mark.parametrize("name", ["x" * 300, "a\0b", "G\udc80PU", "../../etc/passwd", "GPU ü"])
    def test_any_name(self, device: str, name: str) -> None:
        """A sensor of another package may call its device as it likes."""
        with holding(f"{device}{name}" if "\0" not in name else device):
            assert not is_free(f"{device}{name}" if "\0" not in name else device)
        assert is_free(f"{device}{name}")

    def test_several_devices(self, device: str) -> None:
        """Where one of them can't be had, none is kept."""
        with holding(device), pytest.raises(DeviceBusy):
            owned([device, f"{device}-a", "A" + device], patience()).__enter__()
        assert is_free(f"{device}-a")
        assert is_free("A" + device)

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
    def test_another_user(self, device: str) -> None:
        """A device is the machine's: one user waits for another, who is named, and either may be first."""
        theirs = owned([device], patience())
        with child(theirs.__enter__, user=54321), pytest.raises(DeviceBusy, match="of user 54321 "):
            owned([device], patience()).__enter__()
        with owned([device], patience()), child(lambda: _assert(not is_free(device)), user=54321):
            assert not is_free(device)


class TestSquatters:
    @pytest.mark.parametrize("connected", [None, 1])
    def test_who_does_not_answer(self, device: str, connected: int | None) -> None:
        """A process that only takes the name, or lets nobody call, is waited for no longer than any."""
        with name_bound(device, connected=connected), pytest.raises(DeviceBusy, match="isn't visible from"):
            owned([device], patience(3.0)).__enter__()
        assert is_free(device)

    def test_no_such_sockets(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the system forbids them, the device can't be measured: two would measure each other."""

        def forbid(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(device_lock, "Socket", forbid)
        with pytest.raises(
            DeviceBusy, match=r"can't be locked \(by an abstract UNIX socket\): Operation not"
        ):
            owned([device], patience()).__enter__()


def _assert(is_so: bool) -> None:  # noqa: FBT001  # in an expression
    assert is_so


INNER = """
import sys, time
from pytest_energy.meter.device_lock import Patience, owned
with owned([sys.argv[1]], Patience(limit_s=600, now_s=time.monotonic, tell=print)):
    pass
"""


class TestInside:
    def test_this_process(self, device: str) -> None:
        """A run within a measured test of the same process is refused at once, with the way out."""
        with (
            owned([device], patience()),
            pytest.raises(
                DeviceBusy, match=f"measured by pid {os.getpid()} .*within which this test runs.*--energy-off"
            ),
        ):
            owned([device], patience(600.0)).__enter__()

    @pytest.mark.parametrize("levels", [1, 2])
    def test_a_process_below(self, device: str, levels: int) -> None:
        """So is one that a measured test has started, be it by way of others."""
        command = [sys.executable, "-c", INNER, device]
        if levels == 2:
            command = ["sh", "-c", '"$@"; exit $?', "sh", *command]
        with owned([device], patience()):
            done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S603
        assert f"{device} is being measured by pid {os.getpid()} " in done.stderr
        assert done.returncode == 1

    def test_a_forked_child(self, device: str) -> None:
        """A forked child owns nothing: it can't measure what its parent measures."""
        with owned([device], patience()):
            with child(lambda: _assert(not is_free(device))):
                pass
            assert not is_free(device)
        assert is_free(device)

    def test_a_forked_child_that_leaves_the_block(self, device: str) -> None:
        """To leave the block in a child frees nothing, and closes no file of the child's."""
        block = owned([device], patience())

        def leave() -> None:
            with socket.socket() as ours:  # has the number that the lock had
                block.__exit__(None, None, None)
                ours.getsockname()

        with block:
            with child(leave):
                pass
            assert not is_free(device)

    def test_a_forked_child_that_stays(self, device: str) -> None:
        """A child that outlives the block keeps nobody waiting."""
        with ExitStack() as stack:
            with owned([device], patience()):
                stack.enter_context(child(lambda: None))
            assert is_free(device)


@contextmanager
def child(act: Callable[[], object], *, user: int | None = None) -> Iterator[int]:
    """A forked child, of *user* where given, that has done *act* and then stays to the block's end."""
    (ready, tell_ready), (go_on, tell_go_on) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(os.getuid() if user is None else user)
            act()
            os.write(tell_ready, b"1")
            os.close(tell_go_on)
            os.read(go_on, 1)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(tell_ready)
    try:
        assert os.read(ready, 1) == b"1", "the child has failed"
        yield pid
    finally:
        for descriptor in (tell_go_on, ready, go_on):
            os.close(descriptor)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


class TestElsewhere:
    @pytest.fixture(autouse=True)
    def _no_linux(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(device_lock, "IS_LINUX", False)
        monkeypatch.setattr(device_lock, "_ROOT", tmp_path)

    def test_one_lock_for_all(self, device: str) -> None:
        """Without abstract names one process at a time measures anything, any number of devices."""
        with (
            owned([device, "other"], patience()),
            pytest.raises(
                DeviceBusy, match=f"the energy of this machine is being measured by pid {os.getpid()} "
            ),
        ):
            owned(["third"], patience()).__enter__()
        assert is_free(device)

    def test_another_process(self, device: str, tmp_path: Path) -> None:
        """Another process is waited for, to the same limit."""
        lock = ["flock", str(tmp_path), "sh", "-c", "echo owned; cat"]
        with subprocess.Popen(lock, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(DeviceBusy, match="isn't visible from here"):
                owned([device], patience(2.0)).__enter__()
            process.communicate()
        assert is_free(device)

    def test_no_flock(self, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where nothing locks, that is said."""

        def refuse(*_: object) -> None:
            raise OSError(38, "Function not implemented")

        monkeypatch.setattr(fcntl, "flock", refuse)
        with pytest.raises(DeviceBusy, match=r"can't be locked \(by flock on .*\): Function not implemented"):
            owned([device], patience()).__enter__()
