"""A module that is imported when something of it is first used.

For libraries that take long to import or may be absent, where many functions use them:

    if TYPE_CHECKING:
        import torch
    else:
        torch = LazyModule("torch")
"""

import importlib


class LazyModule:
    """Stands in for the module *name*; a missing one is an `ImportError` at the first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self._name), name)
