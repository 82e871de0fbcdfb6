"""The ledger of a pipeline: what each practice costs once, saves per request, and when it is worth it.

Each practice is on or off, and each combination is a test whose phases are windows. The last phase serves
requests; the others are paid once. Everything here is a function of runs that are measured already.
"""

from pytest_energy.ledger.cells import Block, Cell, Design, design_of
from pytest_energy.ledger.effects import BreakEven, Effect, Ledger, ledger_of

__all__ = ["Block", "BreakEven", "Cell", "Design", "Effect", "Ledger", "design_of", "ledger_of"]
