"""The script that polls an agent very often."""

import pytest

from benchmarks.remote.endurance import Look, endure, table


def test_a_table_has_a_line_for_each_look() -> None:
    """Memory is in megabytes."""
    look = Look(poll_count=1000, seconds=2.5, resident_bytes=50_000_000, cpu_s=0.7, file_count=9)
    assert table([look]).splitlines()[1].split() == ["1,000", "2.5", "50.00", "0.7", "9"]


@pytest.mark.slow
def test_an_agent_keeps_its_memory_and_its_files() -> None:
    """Beside polls come clients that leave, send garbage, or are never seen again."""
    looks = [*endure(10_000, most_s=120)][1:]
    assert looks[-1].poll_count == 10_000
    assert looks[-1].resident_bytes - looks[0].resident_bytes < 5e6
    assert looks[-1].file_count <= looks[0].file_count + 3
