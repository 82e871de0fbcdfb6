"""JSON Schemas (draft 2020-12) of what is written for programs, as files beside this one."""

from importlib.resources import files

NAMES = ("session", "baseline")
"""The session document of `--energy-out=RUN.json`, and a file of the folder of baselines."""


def text(name: str) -> str:
    """The schema of the document *name*, one of `NAMES`, as JSON."""
    return files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
