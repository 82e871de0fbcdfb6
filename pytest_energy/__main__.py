"""`python -m pytest_energy`: the command `pytest-energy`."""

import sys

from pytest_energy.cli import main

sys.exit(main())
