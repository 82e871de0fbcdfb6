"""What a record makes of its rounds."""

from dataclasses import replace

import pytest

from pytest_energy.conversion import judgement_to_json
from pytest_energy.model import Record
from pytest_energy.report import view
from tests.builders import judged, reading, record

AT_REST = replace(reading(), channels={}, resting_channels={"gpu:0": 8.0})


def of(*rounds: tuple[dict[str, float], float], voids: int = 0) -> Record:
    """A record of *rounds*, each its joules by channel and its seconds, and of void ones of 99 s."""
    readings = [reading(channels=channels, duration_s=duration_s) for channels, duration_s in rounds]
    void = reading(channels={}, duration_s=99.0, void_because="the counter was reset")
    return replace(record(), rounds=(*readings, *[void] * voids), idle_power_w={"gpu:0": 2.0, "gpu:1": 2.0})


def test_a_void_round_counts_nowhere() -> None:
    """20 J and 10 J in a second each, beside a void round of 99 s: 15 W, not the 0.45 W of all three."""
    fresh = of(({"gpu:0": 20.0}, 1.0), ({"gpu:0": 10.0}, 1.0), voids=1)
    assert (fresh.energy_j, fresh.duration_s, fresh.power_w) == (15.0, 1.0, 15.0)
    assert fresh.channels == {"gpu:0": 15.0}
    assert fresh.net_energy_j == 13.0


def test_a_channel_that_a_round_lacks_has_no_mean() -> None:
    """It is not 0 in that round: it is left out, with its reason, and with it what needs every channel."""
    fresh = of(({"gpu:0": 8.0, "gpu:1": 6.0}, 1.0), ({"gpu:0": 8.0}, 1.0))
    assert fresh.channels == {"gpu:0": 8.0}
    assert fresh.partial_channels == {"gpu:1": "only 1 of 2 rounds have joules of it"}
    assert fresh.net_energy_j is None
    (written,) = map(judgement_to_json, view.of([judged(fresh)]).judgements)
    absent = written["absent"]
    assert isinstance(absent, dict)
    assert absent["channels.gpu:1"] == "only 1 of 2 rounds have joules of it"
    assert absent["net_energy_j"] == "a channel is missing in some rounds"


@pytest.mark.parametrize("fresh", [of(voids=2), replace(of(({"gpu:0": 8.0}, 1.0)), void_because="hot")])
def test_without_joules_there_is_no_mean(fresh: Record) -> None:
    """Where every round is void, or the record is, nothing is worked out."""
    assert (fresh.energy_j, fresh.duration_s, fresh.channels, fresh.power_w) == (None, None, None, None)


@pytest.mark.parametrize(
    ("fresh", "because"),
    [
        (of(({"gpu:0": 8.0}, 1.0)), None),
        (of(voids=2), of(voids=2).rounds[0].void_because),
        (replace(of(voids=2), void_because="hot"), "hot"),
        (replace(of(({"gpu:0": 8.0}, 1.0)), unmeasured_because="no sensor"), "no sensor"),
        (replace(of(({"gpu:0": 8.0}, 1.0)), void_because=""), "no reason was given"),
        (replace(of(voids=1), unmeasured_because="", rounds=()), "no reason was given"),
        (
            replace(of(voids=1), rounds=(AT_REST,)),
            "no reason was given",
        ),
    ],
)
def test_why_there_are_no_joules(fresh: Record, because: str | None) -> None:
    """The record's reason, else that of its first void round; a file may hold none."""
    assert fresh.absent_because == because
    assert (fresh.energy_j is None) == (because is not None)
