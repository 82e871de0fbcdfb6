"""Many baselines checked at once: benchmarks/gate/scale.py, with few."""

from pathlib import Path

import pytest

from benchmarks.gate.scale import (
    check_in_own_process,
    judged,
    judged_by_workers,
    record,
    write_baselines,
)


@pytest.mark.parametrize("process_count", [1, 2])
def test_the_check_reads_judges_and_writes_all(tmp_path: Path, process_count: int) -> None:
    """A check in processes of its own says what it took and how long its document was."""
    size_bytes = write_baselines(tmp_path, 20, 3, 5)
    found = check_in_own_process(tmp_path, 20, 5, process_count)
    assert size_bytes > 20 * 3 * 1000
    assert found.document_bytes > 20 * 1000
    assert 0 < found.duration_s < 60
    assert 10e6 * process_count < found.peak_bytes < 500e6


def test_processes_judge_alike(tmp_path: Path) -> None:
    """However many processes judge, every test is judged once against its whole baseline."""
    write_baselines(tmp_path, 5, 3, 5)
    peaks_bytes: list[float] = []
    shared = {one.record.test_id: one for one in judged_by_workers(tmp_path, 5, 5, 2, peaks_bytes)}
    assert len(peaks_bytes) == 2
    alone = {one.record.test_id: one for one in judged(tmp_path, range(5), 5)}
    assert shared.keys() == alone.keys()
    assert {name: one.record for name, one in shared.items()} == {n: one.record for n, one in alone.items()}
    assert all(one.comparison is not None and one.comparison.entry_count == 3 for one in shared.values())


def test_joules_with_parts_are_judged_by_them(tmp_path: Path) -> None:
    """With --parts each test has work and waiting, as on a GPU."""
    write_baselines(tmp_path, 6, 3, 5, has_parts=True)
    for one in judged(tmp_path, range(6), 5, has_parts=True):
        assert one.comparison is not None
        assert [part.part for part in one.comparison.parts] == ["work", "waiting"]


def test_a_record_is_the_same_whenever_it_is_made() -> None:
    """What one process writes, the other knows."""
    assert record(3, 1, 5) == record(3, 1, 5)
    assert record(3, 1, 5) != record(3, 2, 5)


def test_baselines_that_are_there_are_used_again(tmp_path: Path) -> None:
    """A folder that was filled once is not filled again."""
    size_bytes = write_baselines(tmp_path, 2, 2, 2)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert write_baselines(tmp_path, 2, 2, 2) == size_bytes
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == before
