"""The pages of an OpenAI-compatible server beside its answers: models, version, metrics, refusals.

Rule 1: a page is read as what it should be; what it is instead is said in one short line.
"""

import http
import re
from typing import TypeVar

from pytest_energy.codec import Document, decode, parse
from pytest_energy.errors import Absent, FormatError, SettingsError
from pytest_energy.masking import Hidden
from pytest_energy.serving.engines.openai_stream import MESSAGE_LENGTH, Count, message_of, shortened
from pytest_energy.serving.engines.protocol import CacheCounters, DraftCounters

T = TypeVar("T")

MOST_COUNT = 2**53  # whole numbers past it aren't whole in the text of a metric

# Requests that wait for their first step. Sources: the metrics pages in the documentation of vLLM and SGLang,
# README of llama.cpp's server (with its option --metrics), metrics of TGI's router.
QUEUE_GAUGES = (
    "vllm:num_requests_waiting",
    "sglang:num_queue_reqs",
    "llamacpp:requests_deferred",
    "tgi_queue_size",
)

REFUSED_PROMPT_HINT = (
    "; if this is about the prompt: it is sent as token ids, "
    "which vLLM, SGLang and llama.cpp accept and TGI does not"
)


class Card(Document, frozen=True):
    """A model, as its server describes it."""

    id: str
    owned_by: object = None
    max_model_len: Count | None = None

    @property
    def server(self) -> str:
        """The kind of server, as it says."""
        return shortened(self.owned_by) if self.owned_by and isinstance(self.owned_by, str) else "server"


class _CardList(Document, frozen=True):
    data: list[Card]


class _Version(Document, frozen=True):
    version: str


def _decoded(content: bytes, kind: type[T]) -> T:
    return decode(parse(content.decode(errors="replace"), "the page"), kind, "the page")


def cards_on(status: int, content: bytes) -> list[Card] | Absent:
    """The models of a page, or why it has none."""
    if status != http.HTTPStatus.OK:
        return Absent(refusal(status, content))
    try:
        cards = _decoded(content, _CardList).data
    except FormatError as error:
        text = shortened(content.decode(errors="replace"))
        return Absent(f"not a list of models: {text} ({shortened(str(error))})")
    if any(not 0 < len(card.id) <= MESSAGE_LENGTH for card in cards):
        return Absent(f"a model has a name that is empty or longer than {MESSAGE_LENGTH} characters")
    return cards


def card_of(cards: list[Card], model: Hidden[str | None], *, at: str) -> Card:
    """The description of *model*, or of the only one; hidden, as it may be a key in the wrong place."""
    names = shortened(", ".join(card.id for card in cards)) or "none"
    if model.value is None and len(cards) == 1:
        return cards[0]
    if model.value is None:
        raise SettingsError(f"{at} serves {len(cards)} models; name one of them as model: {names}")
    for card in cards:
        if card.id == model.value:
            return card
    raise SettingsError(f"{at} doesn't serve the model {model.value!r}; it serves: {names}")


def version_on(content: bytes) -> str | None:
    """The server's version; `None` on a page with something else on it."""
    try:
        return shortened(_decoded(content, _Version).version)
    except FormatError:
        return None


def refusal(status: int, content: bytes, target: str | None = None) -> str:
    """What a server says that has something else than what was asked; *target* is where it points to."""
    if target is not None or 300 <= status < 400:
        where = "elsewhere" if target is None else shortened(target)
        return f"HTTP {status}, a redirect to {where}; redirects are not followed, give the final address"
    text = content.decode(errors="replace")
    try:
        message = message_of(parse(text, "the page"))
    except FormatError:
        message = shortened(text)
    is_about_fields = status in (http.HTTPStatus.BAD_REQUEST, http.HTTPStatus.UNPROCESSABLE_ENTITY)
    return f"HTTP {status}: {message}{REFUSED_PROMPT_HINT if is_about_fields else ''}"


def queue_depth_on(page: bytes) -> int | None:
    """Requests that wait, by the metrics on *page*."""
    text = page.decode(errors="replace")
    depths = (metric_sum(text, gauge) for gauge in QUEUE_GAUGES)
    return next((depth for depth in depths if depth is not None), None)


def cache_counters_on(status: int, content: bytes) -> CacheCounters | None:
    """Source: `vllm/v1/metrics/loggers.py`, `sglang/srt/observability/metrics_collector.py`."""
    if status != http.HTTPStatus.OK:
        return None
    page = content.decode(errors="replace")
    queried = metric_sum(page, "vllm:prefix_cache_queries_total")
    hit = metric_sum(page, "vllm:prefix_cache_hits_total")
    if queried is None or hit is None:
        queried = metric_sum(page, "sglang:prompt_tokens_total")
        # SGLang makes this counter at the first hit; before, none is the true count.
        hit = metric_sum(page, "sglang:cached_tokens_total") or 0
    return None if queried is None else CacheCounters(queried_tokens=queried, hit_tokens=hit)


def draft_counters_on(status: int, content: bytes) -> DraftCounters | None:
    """Source: `vllm/v1/spec_decode/metrics.py`."""
    if status != http.HTTPStatus.OK:
        return None
    page = content.decode(errors="replace")
    names = ("drafts", "draft_tokens", "accepted_tokens")
    drafts, drafted, accepted = (metric_sum(page, f"vllm:spec_decode_num_{name}_total") for name in names)
    if drafts is None or drafted is None or accepted is None:
        return None
    return DraftCounters(drafts=drafts, drafted_tokens=drafted, accepted_tokens=accepted)


def metric_sum(page: str, name: str) -> int | None:
    r"""Sum of the metric *name* over its label sets (engines, ranks), or `None` if the page has none.

    A page of vLLM has a thousand lines, most of them histograms, and is read while a load runs on the same
    thread: so only the lines of the asked name are looked at.

    Raises:
        FormatError: A value is no whole number.

    Source:
        Prometheus documentation, "Exposition formats", text-based format.

    >>> metric_sum('hits_total{engine="0"} 3.0\nhits_total{engine="1"} 4.0\n', "hits_total")
    7
    """
    samples = re.findall(rf"^{re.escape(name)}(?:[ \t]*\{{.*\}})?[ \t]+(\S+)", page, re.MULTILINE)
    return sum(_whole(name, value) for value in samples) if samples else None


def _whole(name: str, text: str) -> int:
    try:
        value = float(text)
    except ValueError as error:
        raise FormatError(f"metric {name} is {shortened(text)!r}, not a number") from error
    if not (0 <= value <= MOST_COUNT and value == round(value)):
        raise FormatError(f"metric {name} is {shortened(text)}, not a count")
    return round(value)
