"""What measures on this machine, what may gate here, and what to do about the rest.

Rule 1: a counter that stands still while its hardware works is called absent, not frugal.
Rule 2: looking (`examine`, `permissions`) touches hardware and clock; what is made of it (`report`) and its
        words (`text`) are pure.
"""

from pytest_energy.doctor.diagnosis import diagnose
from pytest_energy.doctor.report import Diagnosis, Report, to_json
from pytest_energy.doctor.text import render

__all__ = ["Diagnosis", "Report", "diagnose", "render", "to_json"]
