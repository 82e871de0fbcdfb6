"""Calibrations as files beside the baselines: `<folder>/<machine's folder>/calibration.json`.

Rule 1: a file that is broken is refused with its place and value; it is never taken for none.
Rule 2: a newer format is refused by its number, an older one still loads.
Rule 3: nothing is written that would not load again.
"""

import json
from pathlib import PurePath

from msgspec import field
from msgspec.structs import asdict

from pytest_energy.baselines.protocol import BaselineStore
from pytest_energy.codec import ByName, Document, Text, Whole, decode, encode, parse
from pytest_energy.document_types import Amount, Positive, Sentence, Time
from pytest_energy.documents import format_of
from pytest_energy.errors import BaselineError, FormatError
from pytest_energy.prediction.calibration import LEAST_TEST_COUNT, Calibration, HeldOut
from pytest_energy.prediction.costs import Costs

FORMAT_VERSION = 1
# 1: as the types below say.

MOST_BYTES = 4_000_000
"""A test takes some 150 bytes, so that 20,000 of them fit."""

_ADVICE = "restore it from version control, or create it again with pytest-energy calibrate"


class _HeldOut(Document, frozen=True, kw_only=True, rename={"test_id": "id"}):
    """A test with its joules, and what a fit without its group predicted."""

    test_id: Sentence
    group: Sentence
    energy_j: Positive
    predicted_j: Amount


class _Calibration(Document, frozen=True, kw_only=True):
    """What predicts the joules of one machine."""

    format: Whole
    machine_key: Sentence
    created: Time
    facts: ByName[Text] = field(default_factory=dict)
    ready_power_w: Amount
    host_s: ByName[Amount]
    device_s: ByName[Amount]
    active_j: ByName[Amount]
    ranges: ByName[tuple[Positive, Positive]]
    held_out: tuple[_HeldOut, ...]


def write(store: BaselineStore, calibration: Calibration) -> PurePath:
    """Write *calibration* to its place, over an older one; returns the path.

    Raises:
        BaselineError: It can't be written.
    """
    path, text = store.calibration_path(calibration.machine_key), to_json_text(calibration)
    from_json_text(text, f"the new {store.shown(path)}")
    try:
        store.put(path, text.encode("ascii"))
    except OSError as error:
        raise BaselineError(f"{store.shown(path)} can't be written: {error.strerror or error}") from error
    return path


def load_all(store: BaselineStore) -> tuple[Calibration, ...]:
    """Every calibration in *store*, by machine key.

    Raises:
        BaselineError: The folder can't be listed, or a file is broken or in another machine's folder.
    """
    calibrations = [load(store, path) for path in store.calibration_paths()]
    return tuple(sorted(calibrations, key=lambda one: one.machine_key))


def load(store: BaselineStore, path: PurePath) -> Calibration:
    """The calibration in *path*, one of `store.calibration_paths()`.

    Raises:
        BaselineError: It can't be read, is none, or is in another machine's folder.
    """
    try:
        text = store.content(path, MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        because = getattr(error, "strerror", None) or error
        raise BaselineError(f"{store.shown(path)} can't be read: {because}; {_ADVICE}") from error
    calibration = from_json_text(text, store.shown(path))
    if (place := store.calibration_path(calibration.machine_key)) != path:
        raise BaselineError(
            f"{store.shown(path)} is the calibration of {calibration.machine_key!r}, which belongs in "
            f"{store.shown(place)}; {_ADVICE}"
        )
    return calibration


def to_json_text(calibration: Calibration) -> str:
    """*calibration* as the text of its file, in ASCII, with a newline at the end."""
    costs = calibration.costs
    document = _Calibration(
        format=FORMAT_VERSION,
        machine_key=calibration.machine_key,
        created=calibration.created,
        facts=dict(calibration.facts),
        ready_power_w=costs.ready_power_w,
        host_s=dict(costs.host_s),
        device_s=dict(costs.device_s),
        active_j=dict(costs.active_j),
        ranges=dict(calibration.ranges),
        held_out=tuple(
            _HeldOut(test_id=one.test_id, group=one.group, energy_j=one.energy_j, predicted_j=one.predicted_j)
            for one in calibration.held_out
        ),
    )
    return json.dumps(encode(document), indent=2, sort_keys=True) + "\n"


def from_json_text(text: str, source: str) -> Calibration:
    """The calibration that *text*, from *source*, is.

    Raises:
        BaselineError: It is none; says where, and what stands there.
    """
    try:
        document = _decoded(text, source)
    except FormatError as error:
        raise BaselineError(f"{error}; {_ADVICE}") from error
    return Calibration(
        machine_key=document.machine_key,
        created=document.created,
        facts=document.facts,
        costs=Costs(
            host_s=document.host_s,
            device_s=document.device_s,
            active_j=document.active_j,
            ready_power_w=document.ready_power_w,
        ),
        ranges=document.ranges,
        held_out=tuple(HeldOut(**asdict(one)) for one in document.held_out),
    )


def _decoded(text: str, source: str) -> _Calibration:
    value = parse(text, source)
    if (version := format_of(value, source)) > FORMAT_VERSION:
        raise FormatError(
            f"{source}: format is {version}, and this pytest-energy supports {FORMAT_VERSION}: upgrade it"
        )
    document = decode(value, _Calibration, source)
    _check_amounts(document, source)
    if len(document.held_out) < LEAST_TEST_COUNT:
        count = len(document.held_out)
        raise FormatError(
            f"{source}: held_out has {count} tests; at least {LEAST_TEST_COUNT} are needed to know the error"
        )
    if unknown := {*document.host_s, *document.device_s, *document.active_j} - document.ranges.keys():
        raise FormatError(f"{source}: ranges lacks {min(unknown)!r}, which has a cost")
    return document


def _check_amounts(document: _Calibration, source: str) -> None:
    """Refuse what is below 0, joules that are none, and ranges that end before they begin.

    Raises:
        FormatError: One is; says where, and what stands there.
    """
    costs = {"host_s": document.host_s, "device_s": document.device_s, "active_j": document.active_j}
    amounts = {f"{part}: {name}": cost for part, of_part in costs.items() for name, cost in of_part.items()}
    amounts["ready_power_w"] = document.ready_power_w
    for number, one in enumerate(document.held_out):
        amounts[f"held_out[{number}]: predicted_j"] = one.predicted_j
        if one.energy_j <= 0:
            raise FormatError(f"{source}: held_out[{number}]: energy_j is {one.energy_j}, not above 0")
    for name, amount in amounts.items():
        if amount < 0:
            raise FormatError(f"{source}: {name} is {amount}, below 0")
    for name, (least, most) in document.ranges.items():
        if not 0 < least <= most:
            raise FormatError(f"{source}: ranges: {name} is [{least}, {most}], not least and most above 0")
