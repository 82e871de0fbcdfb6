"""The session document: everything that was measured and judged, for programs.

Rule 1: `read(render(view)) == view`.
Rule 2: an absent value is `null`, its reason under the same name in `absent`; NaN is never written.
Rule 3: machine and sensors stand at the top, and in an entry only where they differ from those.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pytest_energy.codec import (
    NULLABLE,
    Document,
    JsonDict,
    Number,
    Text,
    decode,
    encode,
    parse,
)
from pytest_energy.conversion import (
    as_document,
    judgement_from_json,
    judgement_to_json,
    plain,
    record_of,
    run_judgement_from_json,
    to_json,
)
from pytest_energy.document_types import Interval, Sentence, Time, written
from pytest_energy.documents import Machine, Record, Sensor, format_of
from pytest_energy.errors import FormatError, NotMeasurable
from pytest_energy.judgement import Judgement
from pytest_energy.judgement_documents import RunJudgement, Test
from pytest_energy.model import Provenance
from pytest_energy.model import Record as RecordValue
from pytest_energy.report import footprint_json
from pytest_energy.report.footprint_json import Footprint
from pytest_energy.report.view import AGAINST, Group, MetricCorrelation, View, of
from pytest_energy.tariff import Tariff
from pytest_energy.yardstick import Yardstick

FORMAT_VERSION = 1
# 1: first format. A reader takes no other; a new key is no new format, a changed or removed one is.

MOST_BYTES = 64_000_000
"""Of a run's JSON: 10,000 tests of 10 rounds have 52 MB. Parsed it takes some ten times its size."""

HOISTED = ("machine", "sensors")

_Share = Annotated[Number, written(minimum=0, maximum=1)]
_Rho = Annotated[Number, written(minimum=-1, maximum=1)]
_Count = Annotated[int, written(minimum=0)]


class Correlation(Document, frozen=True, kw_only=True):
    """Rank correlation of a metric with joules a sample over a group.

    Attributes:
        against: What the metric is ranked with.
        rho: Spearman's rho; null where note says why.
        n: Rows: models or configurations.
        p_exact: Two-sided, over all orders; of 5 to 9 rows.
        p_monte_carlo: Two-sided, over random orders; from 10 rows on.
        ci: 95 % bootstrap interval.
        paper: The paper's rho by its hardware.
    """

    group: Text
    metric: Text
    against: Text
    rho: _Rho | None = NULLABLE
    n: _Count
    p_exact: _Share | None = NULLABLE
    p_monte_carlo: _Share | None = NULLABLE
    ci: Interval | None = NULLABLE
    paper: dict[Text, _Rho]
    provenance: Provenance
    machine_key: Text
    note: Text


class Load(Record, frozen=True, kw_only=True):
    """A fixed load of the yardstick: its record, without a verdict."""


class Run(Document, frozen=True, kw_only=True):
    """What pytest --energy-out=RUN.json writes: everything that a run measured and judged.

    A value that was not measured is null, never 0. machine and sensors are at the top, and in a test or a
    load only where they differ.

    Attributes:
        created: UTC, ISO 8601 with Z.
        notes: What a reader should know of the run.
        run_notes: What went on in the run itself; left out if nothing did.
        run_judgement: By what the run was judged as a whole; left out if it was not recorded.
        yardstick: What fixed loads used at the run's start; left out if none was asked to run.
        yardstick_absent_because: Why none was; left out if there are some, or if it was not recorded.
        footprint: Carbon and cost; left out if the user gave neither a carbon intensity nor a price.
    """

    format: Literal[1]
    created: Time
    machine: Machine | None = NULLABLE
    sensors: tuple[Sensor, ...]
    notes: tuple[Text, ...]
    run_notes: tuple[Text, ...] = ()
    run_judgement: RunJudgement | None = None
    tests: tuple[Test, ...]
    yardstick: tuple[Load, ...] = ()
    yardstick_absent_because: Sentence | None = None
    correlations: tuple[Correlation, ...]
    footprint: Footprint | None = None


class _ReadRun(Document, frozen=True, kw_only=True):
    """What is read of a run: the rest is worked out anew, and a test is read with what the top says."""

    machine: Machine | None = NULLABLE
    sensors: list[Any]
    run_notes: tuple[Text, ...] = ()
    run_judgement: Any = None
    tests: list[Any]
    yardstick: tuple[Any, ...] = ()
    yardstick_absent_because: Text | None = None
    footprint: Any = None


def render(view: View, *, created: str) -> str:
    """The document as text that ends in a newline, one test a line.

    Args:
        view: The session.
        created: UTC time of the document, ISO 8601 with `Z`.
    """
    top: JsonDict = {
        "machine": None if view.machine is None else to_json(view.machine),
        "sensors": [to_json(sensor) for sensor in view.sensors],
    }
    members: dict[str, Iterable[str]] = {
        "format": [_compact(FORMAT_VERSION)],
        "created": [_compact(created)],
        **{name: [_compact(value)] for name, value in top.items()},
        "notes": [_compact(list(view.notes))],
        **({"run_notes": [_compact(list(view.run_notes))]} if view.run_notes else {}),
        **({"run_judgement": [_compact(to_json(view.run_judgement))]} if view.run_judgement else {}),
        "tests": _list(_without(judgement_to_json(judgement), top) for judgement in view.judgements),
        **_yardstick_members(view.yardstick, top),
        "correlations": _list(
            _correlation(group, metric) for group in view.groups for metric in group.correlations
        ),
    }
    if view.tariff is not None:
        members["footprint"] = [_compact(footprint_json.to_json(view, view.tariff))]
    return "".join(_chunks(members))


def read(text: str, source: str) -> View:
    """The view that the session document *text* was made of.

    Args:
        text: The whole document.
        source: What it is, for messages: the file's path.

    Raises:
        FormatError: *text* is not a session document of this format; says where and what it holds.
    """
    run, top = _read(parse(text, source), source)
    whole, where = run.run_judgement, f"{source}: run_judgement"
    return of(
        _judgements(run, top, source),
        run_notes=run.run_notes,
        yardstick=_yardstick(run, top, source),
        run_judgement=None if whole is None else run_judgement_from_json(whole, where),
        tariff=_tariff(run, source),
    )


def read_judgements(text: str, source: str) -> tuple[Judgement, ...]:
    """The judgements of a session document alone: of hundreds of files a view of each takes as long again.

    Raises:
        FormatError: As for `read`.
    """
    return _judgements(*_read(parse(text, source), source), source)


def _read(value: object, source: str) -> tuple[_ReadRun, JsonDict]:
    """The document that *value* is, and what its top says of every test."""
    version = format_of(value, source)
    if version != FORMAT_VERSION:
        raise FormatError(
            f"{source}: format is {version}; this version of pytest-energy reads format {FORMAT_VERSION}"
        )
    run = decode(value, _ReadRun, source)
    top: JsonDict = {"sensors": run.sensors}
    if run.machine is not None:
        top["machine"] = encode(run.machine)
    return run, top


def _judgements(run: _ReadRun, top: JsonDict, source: str) -> tuple[Judgement, ...]:
    return tuple(
        _judgement(entry, top, f"{source}: tests[{number}]") for number, entry in enumerate(run.tests)
    )


def _chunks(members: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The text of an object in pieces: of ten thousand tests a second copy would take 40 MB."""
    for number, (name, chunks) in enumerate(members.items()):
        yield f"{',' if number else '{'}\n{_compact(name)}: "
        yield from chunks
    yield "\n}\n"


def _yardstick_members(yardstick: Yardstick, top: Mapping[str, object]) -> dict[str, Iterable[str]]:
    members: dict[str, Iterable[str]] = {}
    if yardstick.records:
        members["yardstick"] = _list(_without(to_json(record), top) for record in yardstick.records)
    if yardstick.absent_because is not None:
        members["yardstick_absent_because"] = [_compact(yardstick.absent_because)]
    return members


def _yardstick(run: _ReadRun, top: JsonDict, source: str) -> Yardstick:
    records = (
        _record(entry, top, f"{source}: yardstick[{number}]") for number, entry in enumerate(run.yardstick)
    )
    return Yardstick(records=tuple(records), absent_because=run.yardstick_absent_because)


def _tariff(run: _ReadRun, source: str) -> Tariff | None:
    if run.footprint is None:
        return None
    return footprint_json.tariff_from_json(run.footprint, f"{source}: footprint")


def _record(entry: object, top: JsonDict, where: str) -> RecordValue:
    try:
        return record_of(decode(_whole(entry, top), Record, where), where)
    except NotMeasurable as error:
        raise FormatError(f"{where} can't be a record: {error}") from error


def _judgement(entry: object, top: JsonDict, where: str) -> Judgement:
    try:
        return judgement_from_json(_whole(entry, top), where)
    except NotMeasurable as error:
        raise FormatError(f"{where} can't be a record: {error}") from error


def _whole(entry: object, top: JsonDict) -> object:
    return {**top, **entry} if isinstance(entry, dict) else entry


def _without(entry: JsonDict, top: Mapping[str, object]) -> JsonDict:
    return {name: value for name, value in entry.items() if name not in HOISTED or value != top[name]}


def _correlation(group: Group, metric: MetricCorrelation) -> JsonDict:
    return encode(
        as_document(
            Correlation,
            metric.correlation,
            group=group.name,
            metric=metric.metric,
            against=AGAINST,
            paper=plain(metric.paper),
            provenance=group.provenance,
            machine_key=group.machine_key,
        )
    )


def _list(values: Iterable[object]) -> Iterator[str]:
    is_empty = True
    for value in values:
        yield f"{'[' if is_empty else ','}\n  {_compact(value)}"
        is_empty = False
    yield "[]" if is_empty else "\n]"


def _compact(value: object) -> str:
    return json.dumps(value, allow_nan=False)
