"""A module that is imported when something of it is first used.

For libraries that take long to import or may be absent, where many functions use them, and for rooms that
most runs don't enter:

    if TYPE_CHECKING:
        import torch
    else:
        torch = LazyModule("torch")

Rule 1: what was imported stays. A test that gives `sys.modules` back as it was takes away what came
        meanwhile: a library in C may refuse to be loaded again, and a second copy's classes are others.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

_IMPORTED: dict[str, ModuleType] = {}
"""What has come with a module's first use, by name."""


class LazyModule:
    """Placeholder for the module *name*; a missing one is an `ImportError` at the first use.

    From then on it is bound: a test may patch imports or empty `sys.modules`. Only what a test has put in the
    place of a module is asked for anew each time.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._import() if self._module is None else self._module, name)

    def _import(self) -> ModuleType:
        before = {*sys.modules}
        module = importlib.import_module(self._name)
        if isinstance(getattr(module, "__spec__", None), ModuleSpec):
            self._module = module
            _IMPORTED.update((new, sys.modules[new]) for new in {*sys.modules} - before)
        return module


def put_back() -> None:
    """Give `sys.modules` what has come with a first use and was taken away since; nothing is replaced."""
    if _IMPORTED.keys() <= sys.modules.keys():
        return  # as nearly always, and between all tests of a suite
    for name, module in _IMPORTED.items():
        sys.modules.setdefault(name, module)
