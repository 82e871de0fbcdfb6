"""JSON Schemas (draft 2020-12) of what is written for programs, as files beside this one.

They are made from the types that read and write these documents: `make golden` writes them anew.
"""

from importlib.resources import files

NAMES = ("run", "baseline")
"""The document of `--energy-out=RUN.json`, and a file of the folder of baselines."""


def text(name: str) -> str:
    """The schema of the document *name*, one of `NAMES`, as JSON."""
    return files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
