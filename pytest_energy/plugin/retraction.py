"""Corrects what a run has shown of a test whose verdict changes at the end of the run.

Rule 1: a test counts once, in the terminal's counts and in JUnit XML, with its final outcome.
Rule 2: a reporter that isn't there, or has not shown the test, is left alone.
"""

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

import pytest
from _pytest.junitxml import LogXML, mangle_test_address, xml_key

from pytest_energy.plugin.reports import Property, with_properties


def retract(config: pytest.Config, report: pytest.TestReport) -> None:
    """Have *report*, of the call of a test that passed, count no more: another one takes its place."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        for shown in reporter.stats.values():
            shown[:] = [other for other in shown if other is not report]
    xml = config.stash.get(xml_key, None)
    if xml is not None:
        name = _name(xml, report.nodeid)
        places = [index for index, case in _cases(xml) if _name_of(case) == name]
        for index in places[:1]:  # with `--dist=each` others count as well
            del xml.node_reporters_ordered[index]
            xml.stats["passed"] -= 1


def revise_properties(config: pytest.Config, properties: Mapping[str, tuple[Property, ...]]) -> None:
    """Write *properties* of the final verdicts, by test, over the earlier ones in JUnit XML."""
    xml = config.stash.get(xml_key, None)
    if xml is None or not properties:
        return
    by_name = {_name(xml, test_id): ours for test_id, ours in properties.items()}
    for _, case in _cases(xml):
        ours = by_name.get(_name_of(case))
        if ours is not None:
            _revise(case, ours)


def _revise(case: ET.Element, ours: tuple[Property, ...]) -> None:
    element = case.find("properties")
    if element is None:
        element = ET.Element("properties")
        case.insert(0, element)
    earlier = [(one.get("name", ""), one.get("value", "")) for one in element]
    element[:] = [
        ET.Element("property", name=name, value=str(value)) for name, value in with_properties(earlier, ours)
    ]


def _cases(xml: LogXML) -> Iterator[tuple[int, ET.Element]]:
    """The elements of all tests that are over, with their places in the file."""
    return ((index, reporter.to_xml()) for index, reporter in enumerate(xml.node_reporters_ordered))


def _name(xml: LogXML, test_id: str) -> tuple[str | None, str | None]:
    *path, name = mangle_test_address(test_id)
    return ".".join([xml.prefix, *path] if xml.prefix else path), name


def _name_of(case: ET.Element) -> tuple[str | None, str | None]:
    return case.get("classname"), case.get("name")
