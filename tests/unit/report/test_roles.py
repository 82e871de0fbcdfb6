"""Joules by role: in every renderer, with a sum that is the channels' own."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_energy.baselines.machine import check_comparable
from pytest_energy.errors import NotComparable
from pytest_energy.judgement import Judgement
from pytest_energy.model import A_COMMAND, NO_ROLE, Record
from pytest_energy.report import view
from pytest_energy.report.formats import RENDERERS
from pytest_energy.report.to_terminal import render
from tests.builders import CREATED, judgement, reading, record

CHANNELS = {"gpu:0": 60.0, "gpu:1": 30.0, "cpu:package-0": 10.0}
RANKS = {"gpu:0": "rank 0", "gpu:1": "rank 1"}


def _record(roles: Mapping[str, str]) -> Record:
    return replace(record(rounds=[reading(channels=CHANNELS)] * 5), roles=roles)


def _judged(roles: Mapping[str, str] = RANKS) -> Judgement:
    first = judgement(energy_j=100.0)
    rounds = (reading(channels=CHANNELS),) * 5
    return replace(first, record=replace(first.record, rounds=rounds, roles=roles))


def test_the_sum_by_role_is_the_channels_own() -> None:
    """What has no role is in the sum, under a name that says so, and comes last."""
    found = _record(RANKS)
    assert found.energy_by_role_j == {"rank 0": 60.0, "rank 1": 30.0, NO_ROLE: 10.0}
    assert list(found.energy_by_role_j)[-1] == NO_ROLE
    assert sum(found.energy_by_role_j.values()) == found.energy_j


def test_channels_of_one_role_are_added() -> None:
    """Two GPUs that decode are one role."""
    found = _record({"gpu:0": "decode", "gpu:1": "decode", "cpu:package-0": "loader"})
    assert found.energy_by_role_j == {"decode": 90.0, "loader": 10.0}


def test_ranks_are_in_the_order_of_their_numbers() -> None:
    """Rank 10 comes after rank 9, not after rank 1."""
    channels = {f"gpu:{number}": 1.0 for number in range(11)}
    found = replace(
        record(rounds=[reading(channels=channels)]), roles={f"gpu:{n}": f"rank {n}" for n in range(11)}
    )
    assert list(found.energy_by_role_j or ()) == [f"rank {number}" for number in range(11)]


def test_without_roles_there_is_nothing() -> None:
    """A record of before, and one whose roles are of other channels, has no joules by role."""
    assert _record({}).energy_by_role_j is None
    assert _record({"gpu:7": "rank 7"}).energy_by_role_j is None


def test_a_channel_that_a_round_lacks_leaves_no_sum() -> None:
    """A sum that is smaller by a channel is none."""
    rounds = [reading(channels=CHANNELS), reading(channels={"gpu:0": 60.0})]
    assert replace(record(rounds=rounds), roles=RANKS).energy_by_role_j is None


def test_another_split_is_other_work() -> None:
    """Prefill on two of three GPUs isn't compared with prefill on one; which one it is doesn't matter."""
    one = _record({"gpu:0": "prefill", "gpu:1": "decode"})
    check_comparable(one, _record({"gpu:1": "prefill", "gpu:0": "decode"}))
    with pytest.raises(NotComparable, match="roles"):
        check_comparable(one, _record({"gpu:0": "prefill", "gpu:1": "prefill"}))
    with pytest.raises(NotComparable, match="roles"):
        check_comparable(one, _record({}))


def test_ranks_of_a_command_that_were_not_seen_are_no_other_work() -> None:
    """Seen from outside, they may be missing in one run; another split of those seen is other work."""
    seen, unseen, other = (
        replace(_record(roles), workload=A_COMMAND) for roles in (RANKS, {}, {"gpu:0": "rank 0"})
    )
    check_comparable(seen, unseen)
    check_comparable(unseen, seen)
    with pytest.raises(NotComparable, match="roles"):
        check_comparable(seen, other)


def test_the_screen_has_a_line_for_each_test() -> None:
    """Joules and share of each role, below 80 columns."""
    lines = render(view.of([_judged()]), width=80).splitlines()
    at = lines.index("by role")
    text = " ".join(line.strip() for line in lines[at + 1 : at + 3])
    assert "rank 0 60 J (60 %), rank 1 30 J (30 %), no role 10 J (10 %)" in text
    assert max(map(len, lines)) <= 80


def test_the_page_markdown_and_json_have_them() -> None:
    """Each in its own shape."""
    files = {suffix: RENDERERS[suffix](view.of([_judged()]), CREATED) for suffix in (".html", ".md", ".json")}
    assert "energy of rank 1" in files[".html"]
    assert "<summary>Joules by role</summary>" in files[".md"]
    assert "rank 1 30 J (30 %)" in files[".md"]
    (test,) = json.loads(files[".json"])["tests"]
    assert test["roles"] == RANKS
    assert test["energy_by_role_j"] == {"rank 0": 60.0, "rank 1": 30.0, "no role": 10.0}


@pytest.mark.parametrize("suffix", [".html", ".md", ".json"])
def test_a_run_without_roles_says_nothing_of_them(suffix: str) -> None:
    """Files of runs without roles are what they were."""
    text = RENDERERS[suffix](view.of([judgement()]), CREATED)
    assert "by role" not in text.lower()
    assert '"roles"' not in text


def test_a_hostile_role_is_inert() -> None:
    """A role is a text of the suite: it moves no cursor and opens no tag."""
    judged = _judged({"gpu:0": "\x1b[2J<script>x</script>"})
    assert "\x1b[2J" not in render(view.of([judged]), width=80)
    assert "<script>x" not in RENDERERS[".html"](view.of([judged]), CREATED)
