"""The session document: everything that was measured and judged, for programs.

Rule 1: `read(render(view)) == view`.
Rule 2: an absent value is `null`, its reason under the same name in `absent`; NaN is never written.
Rule 3: machine and sensors stand at the top, and in a test's entry only where they differ from those.
"""

import json
from collections.abc import Iterable, Mapping

from pytest_energy.errors import FormatError, NotMeasurable
from pytest_energy.model import Judgement, Machine
from pytest_energy.report.view import AGAINST, Group, MetricCorrelation, View, of
from pytest_energy.wire import Fields, JsonDict
from pytest_energy.wire import parse as parse_object

FORMAT_VERSION = 1
# 1: first format. A reader takes no other; a new key is no new format, a changed or removed one is.

_HOISTED = ("machine", "sensors")


def render(view: View, *, created: str) -> str:
    """The document as text that ends in a newline, one test a line.

    Args:
        view: The session.
        created: UTC time of the document, ISO 8601 with `Z`.
    """
    top: JsonDict = {
        "machine": None if view.machine is None else view.machine.to_json(),
        "sensors": [sensor.to_json() for sensor in view.sensors],
    }
    members = {
        "format": _compact(FORMAT_VERSION),
        "created": _compact(created),
        **{name: _compact(value) for name, value in top.items()},
        "notes": _compact(list(view.notes)),
        **({"run_notes": _compact(list(view.run_notes))} if view.run_notes else {}),
        "tests": _list(_without(judgement.to_json(), top) for judgement in view.judgements),
        "correlations": _list(
            _correlation(group, found) for group in view.groups for found in group.correlations
        ),
    }
    return "{" + ",".join(f"\n{_compact(name)}: {text}" for name, text in members.items()) + "\n}\n"


def parse(text: str, source: str) -> tuple[Judgement, ...]:
    """Judgements of the session document *text*, in its order; see `read`."""
    return read(text, source).judgements


def read(text: str, source: str) -> View:
    """The view that the session document *text* was made of.

    Args:
        text: The whole document.
        source: What it is, for messages: the file's path.

    Raises:
        FormatError: *text* is not a session document of this format; says where and what it holds.
    """
    fields = parse_object(text, source)
    version = fields.integer("format")
    if version != FORMAT_VERSION:
        raise FormatError(
            f"{source}: format is {version}; this version of pytest-energy reads format {FORMAT_VERSION}"
        )
    top: JsonDict = {"sensors": list(fields.items("sensors"))}
    if fields.has_value("machine"):
        top["machine"] = Machine.from_json(fields.child("machine")).to_json()
    judgements = tuple(
        _judgement(entry, top, f"{source}: tests[{number}]")
        for number, entry in enumerate(fields.items("tests"))
    )
    return of(judgements, run_notes=fields.text_list("run_notes") if "run_notes" in fields else ())


def _judgement(entry: object, top: JsonDict, where: str) -> Judgement:
    whole = {**top, **entry} if isinstance(entry, dict) else entry
    try:
        return Judgement.from_json(Fields(whole, where))
    except NotMeasurable as error:
        raise FormatError(f"{where} can't be a record: {error}") from error


def _without(entry: JsonDict, top: Mapping[str, object]) -> JsonDict:
    return {name: value for name, value in entry.items() if name not in _HOISTED or value != top[name]}


def _correlation(group: Group, found: MetricCorrelation) -> JsonDict:
    correlation = found.correlation
    return {
        "group": group.name,
        "metric": found.metric,
        "against": AGAINST,
        "rho": correlation.rho,
        "n": correlation.n,
        "p_exact": correlation.p_exact,
        "p_monte_carlo": correlation.p_monte_carlo,
        "ci": None if correlation.ci is None else list(correlation.ci),
        "paper": dict(found.paper),
        "provenance": group.provenance.value,
        "machine_key": group.machine_key,
        "note": correlation.note,
    }


def _list(values: Iterable[object]) -> str:
    lines = ",".join(f"\n  {_compact(value)}" for value in values)
    return f"[{lines}\n]" if lines else "[]"


def _compact(value: object) -> str:
    return json.dumps(value, allow_nan=False)
