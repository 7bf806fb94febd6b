"""No password leaves the settings."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, field

from pageworker_sandbox.wire.page_options import HIDDEN
from pageworker_supervisor.config.profile_settings import ProfileSettings
from pageworker_supervisor.config.redact import (
    SecretText,
    fingerprint,
    holds_secret,
    may_contain_secret,
    redact_url,
    redacted,
)
from pageworker_supervisor.config.settings import RedisSettings, Settings

WORDS = st.text(string.ascii_letters + string.digits + "!$%&*+,;._~-", min_size=1)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://me:pw@host:1/0", "redis://me:(hidden)@host:1/0"),
        ("redis://:pw@host", "redis://:(hidden)@host"),
        ("http://token@host/x", "http://(hidden)@host/x"),
        ("redis://u:p@ss@host", "redis://u:(hidden)@host"),
        ("s3://bucket/x?sig=abc&n=1#f", "s3://bucket/x?sig=(hidden)&n=(hidden)#f"),
        ("unix:///run/redis.sock?db=12&a=3", "unix:///run/redis.sock?db=12&a=(hidden)"),
        ("unix:///run/redis.sock?db=s3cret", "unix:///run/redis.sock?db=(hidden)"),
        ("unix:///run/redis.sock?db=1234", "unix:///run/redis.sock?db=(hidden)"),
        ("redis://host:1", "redis://host:1"),
        ("me:pw@host", "me:(hidden)@host"),
        ("redis://:pa/ss@h:6379/0", "redis://:(hidden)@h:6379/0"),
        ("redis://u:pa?ss=x@h:6379/0", "redis://u:(hidden)@h:6379/0"),
        ("redis://u:pa#ss@h", "redis://u:(hidden)@h"),
        ("redis:u:secret@h", "redis:u:(hidden)@h"),
        ("redis:secret@h", "redis:(hidden)@h"),
        ("my_name:secret@h", "my_name:(hidden)@h"),
        ("redis://:secret", "redis://(hidden)"),
        ("redis://:12345", "redis://(hidden)"),
        ("redis://u:secret/0", "redis://(hidden)"),
        ("redis+sentinel://u:p@a:1,b,[::1]:3/m", "redis+sentinel://u:(hidden)@a:1,b,[::1]:3/m"),
        ("https://*.example:*/x", "https://*.example:*/x"),
        ("file:///a", "file:///a"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("s3://key:a/b@bucket", "s3://key:(hidden)@bucket"),
        ("redis://", "redis://"),
        ("a@b", "a@b"),
        ("h:1", "h:1"),
        ("", ""),
    ],
)
def test_passwords_and_query_values_are_hidden(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@given(WORDS.map(lambda word: f"pw{word}"), WORDS)
def test_no_password_of_any_url_is_shown(password: str, user: str) -> None:
    for url in (
        f"redis://{user}:{password}@h",
        f"redis://{user}:/{password}?#/{password}@h:1/0",
        f"redis:{user}:{password}@h",
        f"https://h/p?key={password}",
        f"redis+sentinel://:{password}@a:1,b:2/s",
    ):
        assert password not in redact_url(url)


def test_structs_tables_and_lists_become_plain_data() -> None:
    # Any: plain data of any shape.
    shown: Any = redacted(Settings(redis=RedisSettings(url="redis://:pw@h")))
    assert shown["redis"]["url"] == "redis://:(hidden)@h"
    assert shown["egress"]["ports"] == [80, 443]
    assert redacted({"a": ["http://t@h"], "b": object}) == {"a": ["http://(hidden)@h"], "b": str(object)}


def test_credentials_and_headers_of_a_profile_are_hidden() -> None:
    page = {"acme/p": {"http_credentials": {"username": "a", "password": "b"}, "extra_http_headers": {"x": "y"}}}
    settings = Settings(profiles=ProfileSettings(page=page))
    # Any: plain data of any shape.
    shown: Any = redacted(settings)
    assert shown["profiles"]["page"] == {
        "acme/p": {"http_credentials": "(hidden)", "extra_http_headers": "(hidden)"},
    }
    assert "'b'" not in repr(settings.profiles)


def test_the_fingerprint_follows_the_settings_and_not_the_password() -> None:
    def of(url: str, pages: int = 1) -> str:
        return fingerprint(Settings(redis=RedisSettings(url=url, shards=pages)))

    assert of("redis://:a@h") == of("redis://:b@h")
    assert len({of("redis://h"), of("redis://g"), of("redis://h", 2)}) == 3
    assert len(of("redis://h")) == 16


class SafeSection(Struct, frozen=True):
    """A section with secrets of each shape."""

    key: SecretText = "geheim"
    keys: tuple[SecretText, ...] = ("geheim",)
    headers: dict[str, SecretText] = field(default_factory=lambda: {"X-Token": "geheim"})
    none: SecretText | None = None
    name: str = "open"


class Bank(Struct, frozen=True):
    """Sections by name."""

    safes: dict[str, SafeSection] = {}


def test_secret_texts_are_hidden_and_their_keys_are_not() -> None:
    assert redacted(Bank({"a": SafeSection()})) == {
        "safes": {
            "a": {
                "key": HIDDEN,
                "keys": [HIDDEN],
                "headers": {"X-Token": HIDDEN},
                "none": None,
                "name": "open",
            }
        }
    }


def test_a_type_tells_whether_its_values_may_be_shown() -> None:
    assert holds_secret(dict[str, SecretText] | None)
    assert not holds_secret(dict[str, str])
    assert not holds_secret(SafeSection)
    assert may_contain_secret(Bank)
    assert not may_contain_secret(RedisSettings)
