"""What `block` and `block_hosts` take, and what a wrong value is answered with."""

from typing import Any

import pytest

from pageworker_sandbox.block_rules import MAX_HOSTS, MAX_HOSTS_BYTES, are_hosts, are_types, host_hint, type_hint


@pytest.mark.parametrize("value", [[], ["image"], ["font", "media", "image"]])
def test_types_are_taken(value: Any) -> None:
    assert are_types(value)
    assert type_hint(value) == ""


@pytest.mark.parametrize("value", ["image", ["image", "image"], [1], [["image"]], {"image": True}, None])
def test_other_values_are_no_types(value: Any) -> None:
    assert not are_types(value)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (["images"], '"images": did you mean "image"?'),
        (["Font"], '"Font": did you mean "font"?'),
        (["image", "video", "audio"], '"video": did you mean "media"?; "audio": did you mean "media"?'),
        (["stylesheet"], '"stylesheet": not supported yet'),
        (["Script", "cookies"], '"script": not supported yet'),
        (["cookies", 7], ""),
        ("image", ""),
    ],
)
def test_the_type_that_was_meant_is_named(value: Any, hint: str) -> None:
    assert not are_types(value)
    assert type_hint(value) == hint


@pytest.mark.parametrize("value", [[], ["ads.example", "*.Ads.example.", "a?.ads.example", "münchen.test", "::1"]])
def test_hosts_and_globs_are_taken(value: Any) -> None:
    assert are_hosts(value)
    assert host_hint(value) == ""


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (["ads.example", "https://ads.example/"], "`https://ads.example/`: write only the host"),
        (["ads.example:80"], "`ads.example:80`: write only the host"),
        (["*.ads..example"], "`*.ads..example`: expected a host name or a glob"),
        ([""], "``: expected"),
        ([7], ""),
        ("ads.example", ""),
    ],
)
def test_the_wrong_host_is_named(value: Any, hint: str) -> None:
    assert not are_hosts(value)
    assert host_hint(value).startswith(hint)
    assert bool(host_hint(value)) == bool(hint)


def test_the_number_of_hosts_and_their_bytes_are_limited() -> None:
    assert are_hosts(["a.test"] * MAX_HOSTS)
    assert not are_hosts(["a.test"] * (MAX_HOSTS + 1))
    long = ".".join(["x" * 60] * 4)
    assert are_hosts([long] * (MAX_HOSTS_BYTES // len(long)))
    assert not are_hosts([long] * (MAX_HOSTS_BYTES // len(long) + 1))
