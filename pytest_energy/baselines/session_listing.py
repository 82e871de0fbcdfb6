"""What a baseline's prefix has behind a URL: its sessions by name, and what is no session. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pytest_energy.baselines.schema import MOST_CHARACTERS
from pytest_energy.baselines.session_copies import COPIES_NAME
from pytest_energy.baselines.session_names import SessionName, parsed, standing
from pytest_energy.baselines.url_files import Found

REMOVE = "delete the object"
"""What to do with a damaged one."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a baseline's prefix has.

    Attributes:
        names: Sessions by the text of their names.
        damaged: What is wrong with each of the other objects.
        has_copies: Whether `index` has left some.
    """

    names: Mapping[str, SessionName]
    damaged: Mapping[str, str]
    has_copies: bool

    def without(self, damaged: Mapping[str, str]) -> "Listing":
        names = {text: name for text, name in self.names.items() if text not in damaged}
        return replace(self, names=names, damaged={**self.damaged, **damaged})

    @property
    def standing(self) -> tuple[SessionName, ...]:
        return standing(self.names.values())

    def texts_of(self, names: Iterable[SessionName]) -> list[str]:
        """The objects of *names*, whose `joined_as` others may have changed."""
        texts = {one.order: text for text, one in self.names.items()}
        return [texts[name.order] for name in names]


def listing_of(files: Iterable[Found], place: str) -> Listing:
    """What *files*, those of one baseline, are; *place* is where they are, for messages."""
    names, damaged, has_copies = {}, {}, False
    for found in files:
        has_copies |= found.name == COPIES_NAME
        if found.name.startswith(".") or not found.name.endswith(".json"):
            continue  # what a killed writer left, or a marker of the file system
        name = parsed(found.name)
        problem = _why_unusable(found, name)
        if name is None or problem is not None:
            damaged[found.name] = f"{place}/{found.name}: {problem}; {REMOVE}"
        else:
            names[found.name] = name
    return Listing(names, damaged, has_copies)


def _why_unusable(found: Found, name: SessionName | None) -> str | None:
    if name is None:
        return "its name is none that this pytest-energy writes; a newer one may"
    if found.size_bytes > MOST_CHARACTERS:
        return f"it has {found.size_bytes:,} bytes, but at most {MOST_CHARACTERS:,} are read"
    return None
