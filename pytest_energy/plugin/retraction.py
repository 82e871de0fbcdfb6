"""What a run has shown of a test is made true again when its verdict changes at the end of the run.

Rule 1: a test counts once, in the terminal's counts and in JUnit XML, with its final outcome.
Rule 2: a reporter that isn't there, or has not shown the test, is left alone.
"""

from collections.abc import Iterator
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
        for index, _ in [*_cases(xml, report.nodeid)][:1]:  # with `--dist=each` others count as well
            del xml.node_reporters_ordered[index]
            xml.stats["passed"] -= 1


def revise_properties(config: pytest.Config, test_id: str, properties: tuple[Property, ...]) -> None:
    """Write *properties* of the final verdict over the earlier ones in JUnit XML."""
    for _, case in _cases(config.stash.get(xml_key, None), test_id):
        element = case.find("properties")
        if element is None:
            element = ET.Element("properties")
            case.insert(0, element)
        earlier = [(one.get("name", ""), one.get("value", "")) for one in element]
        element[:] = [
            ET.Element("property", name=name, value=str(value))
            for name, value in with_properties(earlier, properties)
        ]


def _cases(xml: LogXML | None, test_id: str) -> Iterator[tuple[int, ET.Element]]:
    """The elements of a test that is over, with their places in the file."""
    if xml is None:
        return
    *path, name = mangle_test_address(test_id)
    classname = ".".join([xml.prefix, *path] if xml.prefix else path)
    for index, reporter in enumerate(xml.node_reporters_ordered):
        case = reporter.to_xml()
        if (case.get("classname"), case.get("name")) == (classname, name):
            yield index, case
