"""A study as JSON, for programs. Pure.

Rule 1: an absent value is `null`; why is in `absent` of its cell, or in `note` of its correlation.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict

from pytest_energy.codec import JsonDict
from pytest_energy.report.batch import best, may_be_best, saturation, ties
from pytest_energy.study.curves import BatchCurve, RateCurve, points_of
from pytest_energy.study.hardware import Hardware
from pytest_energy.study.ranking import Rho
from pytest_energy.study.rows import Cell, Row
from pytest_energy.study.study import Study
from pytest_energy.study.transfer import Transfer

FORMAT_VERSION = 1


def render(study: Study, *, created: str) -> str:
    """The document as text that ends in a newline, one row a line.

    Args:
        study: The study.
        created: UTC time of the document, ISO 8601 with `Z`.
    """
    members: dict[str, list[JsonDict]] = {
        "columns": [_column(one) for one in study.columns],
        "rows": [
            {"group": group.name, "unit": group.unit, **_row(row)}
            for group in study.groups
            for row in group.rows
        ],
        "rhos": [_rho(one) for one in study.rhos],
        "transfers": [_transfer(one) for one in study.transfers],
        "batch_sizes": [_batch(one) for one in study.batch_curves],
        "request_rates": [_rate(one) for one in study.rate_curves],
    }
    head = f'{{\n"format": {FORMAT_VERSION},\n"created": {json.dumps(created)}'
    return "".join([head, *_members(members), "\n}\n"])


def _members(members: dict[str, list[JsonDict]]) -> Iterator[str]:
    for name, values in members.items():
        lines = ",\n  ".join(json.dumps(value, allow_nan=False) for value in values)
        yield f',\n"{name}": [' + (f"\n  {lines}\n]" if values else "]")


def _column(one: Hardware) -> JsonDict:
    return {
        "label": one.label,
        "name": one.name,
        "machine_key": one.machine.key,
        "fixed": dict(one.machine.fixed),
        "topology": one.topology,
        "provenance": one.provenance.value,
        "of": one.part,
        "runs": list(one.runs),
    }


def _row(row: Row) -> JsonDict:
    return {
        "model": row.model,
        "setting": row.setting,
        "work": row.work,
        "cells": {label: _cell(cell) for label, cell in row.cells.items()},
    }


def _cell(cell: Cell) -> JsonDict:
    absent = {name: why for one in cell.samples for name, why in one.absent.items()}
    energies = {f"{kind}_j": value for kind, value in cell.energies_j.items()}
    return {
        **energies,
        "runs": list(dict.fromkeys(one.run for one in cell.samples)),
        "metrics": dict(cell.metrics),
        "absent": {
            name: why
            for name, why in absent.items()
            if energies.get(f"{name}_j", cell.metrics.get(name)) is None
        },
    }


def _rho(one: Rho) -> JsonDict:
    return {
        "group": one.group,
        "metric": one.metric,
        "joules": one.energy,
        "column": one.place,
        **asdict(one.correlation),
        "within_models": one.within_models,
        "paper": dict(one.paper),
    }


def _transfer(one: Transfer) -> JsonDict:
    return {
        "group": one.group,
        "joules": one.energy,
        "columns": list(one.pair),
        "rho": asdict(one.rho),
        "tau": asdict(one.tau),
        "equal_setting_alike": one.equal_setting[0],
        "equal_setting_pairs": one.equal_setting[1],
        "median_ratio": one.median_ratio,
        "differing": list(one.differing),
    }


def _batch(curve: BatchCurve) -> JsonDict:
    sizes = curve.sweep.sizes
    return {
        **_points(curve),
        "model": curve.sweep.model,
        "best": best(sizes).batch_size,
        "tied": list(ties(sizes)),
        "may_be_best": list(may_be_best(sizes)),
        "saturated_above": saturation(sizes),
    }


def _rate(curve: RateCurve) -> JsonDict:
    is_text = isinstance(curve.fit, str)
    return {
        **_points(curve),
        "model": curve.series.model,
        "fit": None if isinstance(curve.fit, str) else asdict(curve.fit),
        "no_fit_because": curve.fit if is_text else None,
        "saturated": [point.rate for point in curve.series.saturated_points],
    }


def _points(curve: BatchCurve | RateCurve) -> JsonDict:
    points = [
        {"at": at, "energy_per_sample_j": energy_j, "interval_j": list(interval_j)}
        for at, energy_j, interval_j in points_of(curve)
    ]
    return {"column": curve.place, "run": curve.run, "points": points}
