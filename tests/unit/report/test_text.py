"""The words of charts: heading, names, numbers."""

from pytest_energy.judgement import Verdict
from pytest_energy.model import Machine
from pytest_energy.report.text import heading, listed, short
from tests.builders import judgement


def test_heading_names_machine_date_commit_and_rounds() -> None:
    """What a reader must know to place a figure; what is not recorded is said."""
    two = Machine(
        key="k",
        fixed={"gpu_model": "NVIDIA H100", "gpu_count": "2"},
        varying={"git_commit": "c3d65e191a9f", "git_dirty": "yes"},
    )
    some = [
        judgement(round_count=3, machine=two),
        judgement(round_count=5, machine=two, created="2026-11-22T01:00:00Z"),
    ]
    assert heading(some).split("   ") == [
        "2 x NVIDIA H100",
        "2026-11-21 to 2026-11-22",
        "commit c3d65e1 with changes",
        "3 to 5 rounds per test",
    ]
    bare = Machine(key="some-key")
    unmeasured = [judgement(energy_j=None, verdict=Verdict.UNMEASURED, machine=bare)]
    assert heading(unmeasured).split("   ") == [
        "some-key",
        "2026-11-21",
        "commit not recorded",
        "no usable round",
    ]
    assert heading([judgement(round_count=1)]).endswith("1 round per test")


def test_names_are_shortened_and_counted() -> None:
    """A name has a hundred characters at most, a list five names, and says how many it leaves out."""
    assert short("two\nlines") == "two\\nlines"
    assert len(short("W" * 300)) == 100
    assert listed([str(number) for number in range(7)]) == "0, 1, 2, 3, 4 and 2 more"
