"""`pytest-energy baselines index`: copies the sessions of each test behind a URL into one object."""

import argparse

from pytest_energy.baselines.location import location
from pytest_energy.baselines.object_store import ObjectStore
from pytest_energy.cli.arguments import Commands
from pytest_energy.cli.files import say
from pytest_energy.errors import SettingsError
from pytest_energy.verdict.figures import count_text


def register(actions: Commands) -> None:
    index = actions.add_parser(
        "index",
        help="speed up `history` for baselines at a URL",
        description="Copy all sessions of each test into one object beside them, from which `pytest-energy "
        "history URL` reads. Sessions that joined later are read one by one, until you index again. Verdicts "
        "never use the copies.",
        epilog="Exit status: 0, or 2 if something can't be read or written.",
    )
    index.add_argument("url", type=location, metavar="URL", help="of the baselines")
    index.set_defaults(run=_index)


def _index(options: argparse.Namespace) -> int:
    if not isinstance(options.url, str):
        raise SettingsError(
            f"{options.url} must be a URL, such as s3://bucket/baselines. A folder needs no index."
        )
    store = ObjectStore(options.url)
    counts = [store.index(path) for path in store.paths()]
    say(f"{count_text(sum(counts), 'session')} of {count_text(len(counts), 'baseline')} indexed")
    return 0
