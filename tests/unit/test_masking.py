"""No secret in a text, in whatever form a program wrote it."""

import base64
import builtins
import codecs
import os
import pprint
from urllib.parse import quote

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.masking import (
    Secret,
    is_secret_name,
    keep_named_secrets,
    keep_secret,
    keep_secrets_of_words,
    masked,
    masked_foreign,
    masked_json,
    masked_words,
    secrets_of_run,
)

KEY = "sk-test-0/1+2=3&4 abcdefghijklmnopqrstuvwxyz"
VARIABLE = "hf_0123456789abcdefghij"


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        (KEY, "***"),
        (KEY.upper(), "***"),
        (quote(KEY), "***"),
        (quote(KEY, safe="").lower(), "***"),
        (base64.b64encode(KEY.encode()).decode().rstrip("="), "***"),
        ("".join(f"\\u{ord(character):04x}" for character in KEY), "***"),
        ("".join(f"\\x{code:02x}" for code in KEY.encode()), "***"),
        ("".join(f"%{code:02X}" for code in KEY.encode()), "***"),
        ("".join(f"&#{code};" for code in KEY.encode()), "***"),
        (KEY.encode().hex(), "***"),
        (str([*KEY.encode()]), "[***]"),
        (KEY.encode("utf-16-le").decode().rstrip("\0"), "***"),
        (f"{KEY.encode().hex()[:21]}...", "***"),
        (KEY.replace("&", "&amp;"), "***"),
        (f"{KEY[:9]}\n{KEY[9:]}", "***"),
        (f'"{KEY[:11]}..."', '"***"'),
        (f"http://host/?k={KEY[:8]}&n=1 rest", "http://host/?k=*** rest"),
        (f"a {KEY[:7]}", f"a {KEY[:7]}"),
    ],
)
def test_a_given_secret_is_covered_in_each_form(form: str, shown: str) -> None:
    """Whole, broken into lines or cut; seven characters of it are no secret."""
    keep_secret(KEY)
    assert masked(f"key {form}") == f"key {shown}"
    assert masked_foreign(f"key {form}") == f"key {shown}"


@pytest.mark.parametrize("secret", ["x", "lock", "EMPTY", "test", "s3cret!", "a"])
def test_a_short_secret_is_covered_in_foreign_texts_where_it_stands_alone(secret: str) -> None:
    """Servers without a key are often given EMPTY or test: our own sentences keep their words."""
    keep_secret(secret)
    text = f"wrong key {secret}, sub{secret} 4 of {secret}s"
    assert masked_foreign(text) == f"wrong key ***, sub{secret} 4 of {secret}s"
    assert masked(text) == str(EnergyError(text)) == text


def test_a_secret_by_its_name_alone_counts_from_eight_characters_on() -> None:
    """A setting of a few letters is a word; one that is a path doesn't cover others that begin so."""
    keep_named_secrets({"token": "word", "auth": {"api_key": ["sesame-open"]}, "name": "sesame-shut"})
    keep_secrets_of_words(
        ["--eos-token", "done", "--pass", "opaque77", "key=len(tokens)", "--key", "/srv/keys/a"]
    )
    text = "word done len(tokens) sesame-shut sesame-open opaque77 /srv/keys/a /srv/keys/b"
    assert masked_foreign(text) == "word done len(tokens) sesame-shut *** *** *** /srv/keys/b"


def test_under_the_name_of_a_secret_json_is_covered() -> None:
    """Also a short one, and deep inside."""
    text = '{"a": {"api_key": "x", "token": 5}, "max_tokens": 8}'
    assert masked_json(text) == '{"a": {"api_key": "***", "token": ***}, "max_tokens": 8}'


def test_a_test_that_empties_the_environment_uncovers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was in it when the run began is covered to the end of the run."""
    monkeypatch.setenv("HF_TOKEN", VARIABLE)
    forget = secrets_of_run()
    monkeypatch.delenv("HF_TOKEN")
    assert masked(f"with {VARIABLE}") == "with ***"
    forget()
    assert masked(f"with {VARIABLE}") == f"with {VARIABLE}"


def test_what_is_kept_in_a_run_is_forgotten_with_it() -> None:
    """What was known before stays: a run may start another."""
    keep_secret("of-the-outer-run")
    forget = secrets_of_run()
    keep_secret("of-the-inner-run")
    forget()
    assert masked("of-the-outer-run, of-the-inner-run") == "***, of-the-inner-run"


def test_of_two_secrets_the_longer_is_covered_whole() -> None:
    """One may begin as another does."""
    keep_secret("opensesame", "opensesame-and-more here")
    assert masked("opensesame-and-more here") == "***"


@pytest.mark.parametrize("name", ["HF_TOKEN", "OPENAI_API_KEY", "PGPASSWORD", "db_password", "MY_SECRET_2"])
def test_the_environment_tells_secrets_by_their_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Those of 8 characters and more; also in a text that is no longer than half of one."""
    monkeypatch.setenv(name, VARIABLE)
    assert masked(f"started with {VARIABLE} and {VARIABLE[:14]}") == "started with *** and ***"
    monkeypatch.setenv(name, "enabled")
    assert masked("enabled") == "enabled"


@pytest.mark.parametrize(
    "name", ["PATH", "TOKENIZERS_PARALLELISM", "MONKEY", "max_tokens", "KEYBOARD", "PWD"]
)
def test_other_names_are_no_secrets(name: str) -> None:
    """A word that ends or begins like one is none."""
    assert not is_secret_name(name)


def test_the_user_of_a_url_is_covered() -> None:
    """With an @ in the password too; an address without a user stays as it is."""
    text = "git://me:p@ss@host/x, https://token@host, http://host:80/a@b"
    assert masked(text) == "git://***@host/x, https://***@host, http://host:80/a@b"


def test_what_a_url_gives_under_the_name_of_a_secret_is_covered() -> None:
    """Of any length, and of it alone."""
    text = "GET /power?id=3&token=abc&x=1 (http://host/?api_key='), ?max_tokens=8, a&b.password=x#y"
    shown = "GET /power?id=3&token=***&x=1 (http://host/?api_key='), ?max_tokens=8, a&b.password=***#y"
    assert masked(text) == shown


def test_to_cover_a_secret_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error may be made while a test's patches are in force, of the environment too."""

    def refuse(name: str, *_: object, **__: object) -> None:
        raise ImportError(name)

    monkeypatch.setenv("HF_TOKEN", VARIABLE)
    keep_secret("sesame-öpen & more")
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", None)
        patch.setattr(codecs, "lookup", refuse)
        patch.setattr(builtins, "__import__", refuse)
        shown = (masked(f"{VARIABLE}, sesame-öpen & more"), masked_words(["--key", VARIABLE]))
    assert shown == ("***, ***", ["--key", "***"])


def test_arguments_that_are_secrets_by_name_are_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an option, behind = or a colon; and the values that the environment tells."""
    monkeypatch.setenv("HF_TOKEN", VARIABLE)
    words = [
        "run",
        "--api-key",
        "x",
        "API_KEY=x",
        "-H",
        "X-Api-Key: x",
        f"at={VARIABLE}",
        "--max-tokens",
        "8",
    ]
    shown = ["run", "--api-key", "***", "API_KEY=***", "-H", "X-Api-Key: ***", "at=***", "--max-tokens", "8"]
    assert masked_words(words) == shown


def test_an_error_never_holds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its text nor its representation."""
    monkeypatch.setenv("HF_TOKEN", VARIABLE)
    error = EnergyError(f"{VARIABLE} is wrong")
    assert (str(error), repr(error)) == ("*** is wrong", "EnergyError('*** is wrong')")


def test_a_secret_is_itself_and_never_shown() -> None:
    """Whoever prints the variables of a frame sees no more than that there is one."""
    secret = Secret("sesame-open")
    assert f"Bearer {secret}" == "Bearer sesame-open"
    holder = {"Authorization": secret, "all": [secret]}
    assert pprint.pformat(holder) == repr(holder) == "{'Authorization': ***, 'all': [***]}"


@pytest.mark.parametrize("secret", ["\udc80bad-bytes", "ключ-от-двери", "q\"uo\\te'd-key", "a" * 3000])
def test_any_text_can_be_a_secret(secret: str) -> None:
    """Half a surrogate pair, other alphabets, quotes, a token of kilobytes."""
    keep_secret(secret)
    assert masked(f"<{secret}>") == "<***>"
