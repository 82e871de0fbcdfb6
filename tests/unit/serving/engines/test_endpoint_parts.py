"""What an endpoint is made of: addresses, and metrics of a page."""

import base64

import pytest

from pytest_energy.errors import FormatError, SettingsError
from pytest_energy.serving.engines.endpoint_http import Address, reason_of
from pytest_energy.serving.engines.openai_endpoint import metric_sum

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


@pytest.mark.parametrize(
    "base_url",
    [
        "127.0.0.1:8000",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://host?key=1",
        "http://h#x",
        "http://a..b",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(base_url: str) -> None:
    """The text may hold a password."""
    with pytest.raises(SettingsError, match="base_url is no address of a server") as caught:
        Address.parse(base_url)
    assert "key=1" not in str(caught.value)


def test_credentials_go_into_the_header_and_nowhere_else() -> None:
    """A key as a bearer token, a user of the URL as basic authorisation; no text shows them."""
    keyed = Address.parse("http://host", api_key="sesame")
    named = Address.parse("http://us%20er:p%40ss@host")
    assert keyed.headers == {"Authorization": "Bearer sesame"}
    assert named.headers == {"Authorization": f"Basic {base64.b64encode(b'us er:p@ss').decode()}"}
    assert Address.parse("http://host", api_key="").headers == {}
    assert "sesame" not in repr(keyed)
    assert "p%40ss" not in repr(named)
    assert keyed.without_secrets("wrong key: sesame") == "wrong key: ***"
    assert named.without_secrets("p@ss p%40ss") == "*** ***"


def test_credentials_that_can_not_be_sent_are_refused() -> None:
    """A line end would end the header; two kinds at once have one header."""
    with pytest.raises(SettingsError, match="api_key holds characters"):
        Address.parse("http://host", api_key="sesame\n")
    with pytest.raises(SettingsError, match="there is an api_key as well"):
        Address.parse("http://user@host", api_key="sesame")


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("127.0.0.1", "here"),
        ("127.1.2.3", "here"),
        ("[::1]", "here"),
        ("localhost", "here"),
        ("10.0.0.1", "elsewhere"),
        ("models.example", "elsewhere"),
    ],
)
def test_loopback_is_told_by_the_address(host: str, place: str) -> None:
    """Nothing is looked up."""
    assert Address.parse(f"http://{host}:1").is_loopback is (place == "here")


def test_a_reason_is_never_empty() -> None:
    """Some errors have no text of their own."""
    assert reason_of(ConnectionResetError(), timeout_s=1.0) == "ConnectionResetError"
