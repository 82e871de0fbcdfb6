"""What makes a page safe to open: its policy, its own files, and data that a script may hold. Pure.

Rule 1: only the script and the styles that are written here run: the policy holds their hashes.
Rule 2: nothing in a script's data ends the script or begins markup.
"""

import base64
import hashlib
import json
from importlib.resources import files


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
