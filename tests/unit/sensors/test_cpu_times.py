"""Processor times of the machine, by the kernel's file or by psutil."""

import os
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pytest_energy.sensors import cpu_times
from pytest_energy.sensors.cpu_times import CpuTimes, StatFile, cpu_times_reader, psutil_times

STAT = "cpu  1000 20 300 4000 50 6 70 800 90 10\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 1\n"


def stat_file(folder: Path, text: str = STAT) -> Path:
    path = folder / "stat"
    path.write_text(text, encoding="ascii")
    return path


def test_the_first_line_is_the_machines(tmp_path: Path) -> None:
    """Counts of clock ticks become seconds, kind by kind."""
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    times = StatFile(stat_file(tmp_path))()
    assert times == pytest.approx([n * tick_s for n in (1000, 20, 300, 4000, 50, 6, 70, 800, 90, 10)])


def test_busy_is_work_for_this_machine() -> None:
    """Rest, waiting for disks and what another machine had are not busy; a guest is in user already."""
    times = CpuTimes(1000, 20, 300, 4000, 50, 6, 70, 800, 90, 10)
    assert times.busy_s == 1000 + 20 + 300 + 6 + 70
    assert times.total_s == times.busy_s + 4000 + 50 + 800


def test_an_old_kernel_counts_fewer_kinds(tmp_path: Path) -> None:
    """Four kinds are enough; the others are 0."""
    assert StatFile(stat_file(tmp_path, "cpu 100 0 100 100\n"))().steal == 0.0


def test_the_file_is_read_anew_each_time(tmp_path: Path) -> None:
    """It stays open, and what it says is not what it said."""
    path = stat_file(tmp_path)
    read = StatFile(path)
    before = read()
    stat_file(tmp_path, STAT.replace("cpu  1000", "cpu  9000"))
    assert read().user == pytest.approx(9 * before.user)


def test_the_file_is_closed_with_its_reader(tmp_path: Path) -> None:
    """No descriptor is left when nobody reads any more."""
    path = stat_file(tmp_path)

    def open_count() -> int:
        return sum(link.resolve() == path.resolve() for link in Path("/proc/self/fd").iterdir())

    read = StatFile(path)
    assert open_count() == 1
    del read
    assert open_count() == 0


@pytest.mark.parametrize("text", [None, "", "cpu\n", "memory 1 2 3 4\n", "cpu a b c d\n"])
def test_where_there_is_no_such_file_psutil_is_asked(tmp_path: Path, text: str | None) -> None:
    """A file that is absent or says something else is no reason to fail."""
    path = tmp_path / "stat" if text is None else stat_file(tmp_path, text)
    assert cpu_times_reader(path) is psutil_times


@pytest.mark.skipif(not cpu_times.STAT.exists(), reason="this system has no /proc/stat")
def test_a_system_that_counts_fewer_kinds_has_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that psutil doesn't have on this system counts as no seconds."""
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(user=3.0, system=2.0, idle=5.0))
    assert psutil_times() == CpuTimes(user=3.0, nice=0.0, system=2.0, idle=5.0)


def test_both_ways_say_the_same() -> None:
    """psutil, asked between two reads of the file, is between them."""
    read = cpu_times_reader()
    before, asked, after = read(), psutil_times(), read()
    assert before.busy_s - 0.02 <= asked.busy_s <= after.busy_s + 0.02  # two ticks of the clock
    assert before.total_s - 0.02 <= asked.total_s <= after.total_s + 0.02
