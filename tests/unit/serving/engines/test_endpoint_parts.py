"""What an endpoint is made of: addresses, and metrics of a page."""

import base64

import pytest

from pytest_energy.errors import FormatError, SettingsError
from pytest_energy.http_address import Address
from pytest_energy.masking import masked
from pytest_energy.serving.engines.endpoint_http import reason_of
from pytest_energy.serving.engines.openai_pages import metric_sum

PAGE = """\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="a } b"} 2.0
vllm:num_requests_waiting{engine="1",model_name="tiny"} 1.0 1700000000000
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 9.0
vllm:prefix_cache_hits_total{engine="0"} 1.234567e+06
bare_total 5
half 0.5
broken x
lost NaN
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vllm:num_requests_waiting", 3),
        ("vllm:prefix_cache_hits_total", 1234567),
        ("bare_total", 5),
        ("vllm:num_requests", None),
        ("absent", None),
    ],
)
def test_a_metric_is_the_sum_over_its_label_sets(name: str, value: int | None) -> None:
    """Exactly the named metric; absent is not zero."""
    assert metric_sum(PAGE, name) == value


@pytest.mark.parametrize("name", ["half", "broken", "lost"])
def test_a_count_that_is_none_is_refused(name: str) -> None:
    """With the metric's name and what the page says."""
    with pytest.raises(FormatError, match=f"metric {name} is "):
        metric_sum(PAGE, name)


@pytest.mark.parametrize(
    ("base_url", "root"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000"),
        ("https://models.example", "https://models.example:443"),
        ("http://models.example/llm/v1", "http://models.example:80/llm"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://user:secret@models.example", "http://models.example:80"),
    ],
)
def test_the_root_of_an_address(base_url: str, root: str) -> None:
    """Without the part that is added to it, and without credentials."""
    assert Address.parse(base_url).root == root


URL_FAULTS = {
    "127.0.0.1:8000": "must begin with http:// or https:// and a host",
    "ftp://host": "must begin with http:// or https:// and a host",
    "http://": "must begin with http:// or https:// and a host",
    "u:opensesame@127.0.0.1:9": "must begin with http:// or https:// and a host",
    "http://host:port": "its port is not a number",
    "http://u:opensesame@host:99999": "its port is not a number",
    "http://a..b": "its host is not valid",
    "http://u:opensesame@host:0": "its port is 0",
    "http://u%3Aopensesame%40host": "its host is not valid",
    "http://host?key=opensesame": "a query or a fragment",
    "http://u:opensesame@h#x": "a query or a fragment",
    "http://u:opense/same@host": "its port is not a number",
    "http://u:80/opensesame@host": "an @ after the host; in a password, write / as %2F",
    "http://u:opensesame@host\n": "a space or a line break",
}


@pytest.mark.parametrize("base_url", URL_FAULTS)
def test_what_is_no_address_is_refused_without_repeating_it(base_url: str) -> None:
    """The text may hold a password; what is wrong is said."""
    with pytest.raises(
        SettingsError, match=f"base_url is not the address .*{URL_FAULTS[base_url]}"
    ) as caught:
        Address.parse(base_url)
    for entry in caught.traceback[1:]:
        shown = f"{entry.frame.getargs(var=True)} {dict(entry.frame.f_locals)}"
        assert "opense" not in shown
    assert "opense" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("base_url", [None, b"http://u:opensesame@host", 80])
def test_an_address_is_a_text(base_url: object) -> None:
    """What it is instead is named by its type alone."""
    with pytest.raises(SettingsError, match=f"it is of type {type(base_url).__name__}, not a text"):
        Address.parse(base_url)


def test_credentials_go_into_the_header_and_nowhere_else() -> None:
    """A key as a bearer token, a user of the URL as basic authorisation; no text shows them."""
    keyed = Address.parse("http://host", api_key="open-sesame")
    named = Address.parse("http://us%20er:p%40ss-word@host")
    basic = base64.b64encode(b"us er:p@ss-word").decode()
    assert keyed.headers == {"Authorization": "Bearer open-sesame"}
    assert named.headers == {"Authorization": f"Basic {basic}"}
    assert Address.parse("http://host").headers == {}
    for shown in (repr(keyed), repr(keyed.headers), repr(named.headers)):
        assert "sesame" not in shown
        assert basic not in shown
    assert masked("wrong key: open-sesame") == "wrong key: ***"
    assert masked(f"p@ss-word p%40ss-word {basic}".rstrip("=")) == "*** *** ***"


@pytest.mark.parametrize(
    ("api_key", "told"),
    [
        ("opensesame\n", "characters that a header can.t hold, such as a line break"),
        ("open sesame", "characters that a header can.t hold"),
        ("ópensesame", "characters that a header can.t hold"),
        ("Bearer opensesame", "give only the key"),
        ("", "api_key is empty; leave it out"),
        ("http://u:opensesame@host:80", "api_key is an address; are api_key and base_url swapped"),
        (b"opensesame", "api_key is of type bytes, not a text"),
        (["opensesame"], "api_key is of type list, not a text"),
    ],
)
def test_a_key_that_is_none_is_refused_without_showing_it(api_key: object, told: str) -> None:
    """By what is wrong with it."""
    with pytest.raises(SettingsError, match=told) as caught:
        Address.parse("http://host", api_key=api_key)
    shown = [repr(entry.frame.f_locals) for entry in caught.traceback[1:]]
    assert "sesame" not in "".join((str(caught.value), *shown))
    assert caught.value.__context__ is None


def test_arguments_in_each_others_place_are_told_apart() -> None:
    """The key that stands for the address is covered from then on, and no address is."""
    with pytest.raises(SettingsError, match="are api_key and base_url swapped"):
        Address.parse("open-sesame", api_key="http://127.0.0.1:8000")
    assert masked("open-sesame at http://127.0.0.1:8000") == "*** at http://127.0.0.1:8000"


def test_there_is_one_kind_of_credentials() -> None:
    """Two of them have one header."""
    with pytest.raises(SettingsError, match="api_key is given too"):
        Address.parse("http://user@host", api_key="sesame")


def test_a_reason_is_never_empty() -> None:
    """Some errors have no text of their own."""
    assert reason_of(ConnectionResetError(), timeout_s=1.0) == "ConnectionResetError"
