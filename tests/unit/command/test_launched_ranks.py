"""Ranks that a launched command has on devices, from processes that are really started."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_energy.command import CommandWork, new_ranks
from pytest_energy.command.launched_ranks import LaunchedRanks, inherited_ranks
from pytest_energy.masking import Hidden

LAUNCHER = """
import os, pathlib, subprocess, sys, time
ranks, names, is_apart = {ranks!r}, {names!r}, {is_apart}
code = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
for place, rank in enumerate(ranks):
    own = dict(os.environ, **{{name: str(rank) for name in names}}, **{size!r})
    words = [sys.executable, "-S", "-c", code, f"gpu:{{place}}"]
    subprocess.Popen(words, env=own, start_new_session=is_apart)
while not pathlib.Path("seen").exists():
    time.sleep(0.01)
"""


class Looks(LaunchedRanks):
    """Ends the launcher when all of its processes were looked at, however long they took to begin."""

    def look(self, leader: int) -> bool:
        may_see_more = super().look(leader)
        if all(self.processes().values()):
            Path("seen").touch()
        return may_see_more


class Devices:
    """The process that has each device open: the file that it wrote when it had begun."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = folder, count
        self.look_count = 0

    def __call__(self) -> Mapping[str, frozenset[int]]:
        files = sorted(self._folder.glob("gpu:*"))
        found = {file.name: frozenset({int(text)}) for file in files if (text := file.read_text())}
        self.look_count += 1
        return {f"gpu:{place}": found.get(f"gpu:{place}", frozenset()) for place in range(self._count)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the processes write; this process is no rank."""
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def launched(
    folder: Path,
    ranks: list[int],
    *,
    names: tuple[str, ...] = ("RANK",),
    size: Mapping[str, str] | None = None,
    is_apart: bool = False,
) -> tuple[CommandWork, Devices]:
    """A launcher of one process a device, each with its rank in *names*, after its first call."""
    devices = Devices(folder, len(ranks))
    code = LAUNCHER.format(ranks=ranks, names=names, size=dict(size or {}), is_apart=is_apart)
    work = CommandWork(
        args=Hidden([sys.executable, "-S", "-c", code]),
        grace_s=0.3,
        ranks=Looks(processes=devices, inherited=inherited_ranks(())),
    )
    work.run(0, None)
    return work, devices


@pytest.mark.parametrize("names", [("RANK",), ("OMPI_COMM_WORLD_RANK",), ("LOCAL_RANK",)])
def test_a_device_has_the_rank_of_its_process(folder: Path, names: tuple[str, ...]) -> None:
    """By what torchrun and MPI set; processes of a session of their own are the command's, too."""
    work, _ = launched(folder, [2, 3], names=names, is_apart=True)
    assert work.description(1).roles == {"gpu:0": "rank 2", "gpu:1": "rank 3"}


def test_the_rank_of_the_job_comes_before_that_of_the_machine(folder: Path) -> None:
    """A process with both has the job's."""
    devices = Devices(folder, 1)
    code = "import os, pathlib, time; pathlib.Path('gpu:0').write_text(str(os.getpid()))\n"
    code += "while not pathlib.Path('seen').exists(): time.sleep(0.01)"
    given = {"RANK": "5", "LOCAL_RANK": "1"}
    work = CommandWork(
        args=Hidden([sys.executable, "-S", "-c", code]),
        env=Hidden(given),
        ranks=Looks(processes=devices, inherited=inherited_ranks(given)),
    )
    work.run(0, None)
    assert work.description(1).roles == {"gpu:0": "rank 5"}


def test_a_part_of_the_ranks_is_no_split(folder: Path) -> None:
    """Two of four seen on a device: no role at all, and all four if all are."""
    work, _ = launched(folder, [0, 1], size={"LOCAL_WORLD_SIZE": "4"})
    assert work.description(1).roles == {}
    for file in folder.iterdir():
        file.unlink()
    whole, _ = launched(folder, [0, 1], size={"LOCAL_WORLD_SIZE": "2"})
    assert whole.description(1).roles == {"gpu:0": "rank 0", "gpu:1": "rank 1"}


def test_the_rank_of_the_test_itself_is_nobodys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that all processes have from this one says nothing of a single one."""
    monkeypatch.setenv("RANK", "0")
    work, _ = launched(folder, [0])
    assert work.description(1).roles == {}


def test_processes_of_others_have_no_rank() -> None:
    """What the command did not start is not asked."""
    others = new_ranks(lambda: {"gpu:0": frozenset({1})}, ())
    assert others.look(leader=1 << 22)  # the number of no process
    assert others.roles == {}
    assert not new_ranks(dict, ()).look(leader=1)  # no device to look at again


def test_later_calls_are_not_looked_at(folder: Path) -> None:
    """The first call is the warm-up's; measured rounds are left alone."""
    work, devices = launched(folder, [0])
    count = devices.look_count
    assert count >= 1
    work.run(1, None)
    assert devices.look_count == count
