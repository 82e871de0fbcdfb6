"""What makes a page safe to open: its template, its policy, its own files, and data that a script may hold.

Rule 1: only the script and the styles that are written here run: the policy holds their hashes.
Rule 2: nothing in a script's data ends the script or begins markup.
Rule 3: a template escapes what is filled in.
"""

import base64
import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pytest_energy.errors import SettingsError

if TYPE_CHECKING:
    from jinja2 import Template


_PARTS = "parts.html.j2"


@lru_cache(maxsize=3)
def page_template(name: str) -> "Template":
    """The template *name*, by rule 3.

    Raises:
        SettingsError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise SettingsError(
            "an .html report needs jinja2, which is not installed: pip install 'pytest-energy[html]'"
        ) from error
    environment = Environment(
        loader=PackageLoader("pytest_energy.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.get_template(_PARTS)  # now, so that a page which takes parts of it needs no import later
    return environment.get_template(name)


def own_text(name: str) -> str:
    """A file beside the templates, its lines ended as a browser ends them before it hashes."""
    text = (files("pytest_energy.report") / "templates" / name).read_text(encoding="utf-8")
    return "\n".join(text.splitlines())


def data_text(data: object) -> str:
    """*data* as JSON for a script in a page: rule 2."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))  # ASCII alone: no U+2028, no U+2029
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def policy(style: str, script: str) -> str:
    """What a browser may do with the page: show it, with these styles, and run this script; nothing else."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
