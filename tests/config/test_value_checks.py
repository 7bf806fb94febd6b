"""Single values of settings: URLs, globs, addresses, keys, secret files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.config.value_checks import (
    HOP_BY_HOP_HEADERS,
    MAX_HEADER_VALUE,
    MAX_HEADERS,
    MIN_SECRET_BYTES,
    header_findings,
    holds_password,
    host_glob_problem,
    is_address,
    is_minisign_key,
    secret_findings,
    unreadable,
    url_findings,
)

KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("redis://u:p@h", True),
        ("redis://:p@h/0", True),
        ("redis://u@h:1", False),
        ("redis://h:1/a@b:c", False),
        ("redis://h", False),
    ],
)
def test_a_password_is_found_in_the_user_information_only(url: str, holds: bool) -> None:
    assert holds_password(url) is holds


@pytest.mark.parametrize("text", ["a.example", "*.example", "münchen.example", "127.0.0.1"])
def test_hosts_and_globs_of_hosts(text: str) -> None:
    assert host_glob_problem(text) == ""


@pytest.mark.parametrize(("text", "words"), [("http://a", "no scheme"), ("a:80", "port"), ("a/b", "path"), ("a b", "")])
def test_other_texts_are_no_hosts(text: str, words: str) -> None:
    assert words in host_glob_problem(text)
    assert host_glob_problem(text)


@pytest.mark.parametrize("text", ["127.0.0.1", "127.0.0.1:1", "::1", "[::1]", "[::1]:65535"])
def test_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text", ["", "host", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "1.2.3", "[::1]:x", "::g"]
)
def test_other_texts_are_no_addresses(text: str) -> None:
    assert not is_address(text)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_any_address_with_any_port(address: object, port: int) -> None:
    text = f"[{address}]" if ":" in str(address) else str(address)
    assert is_address(text)
    assert is_address(f"{text}:{port}")


@pytest.mark.parametrize(
    ("text", "valid"), [(KEY, True), (KEY[:-4], False), ("RW" + "A" * 54, False), ("!" * 56, False)]
)
def test_minisign_keys(text: str, valid: bool) -> None:
    assert is_minisign_key(text) is valid


@pytest.mark.parametrize(("size", "short"), [(MIN_SECRET_BYTES, False), (MIN_SECRET_BYTES - 1, True)])
def test_a_secret_is_long_enough_without_the_white_space_around_it(tmp_path: Path, size: int, short: bool) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"  " + b"x" * size + b"\n")
    assert bool(list(secret_findings(("a",), file))) is short


def test_a_file_that_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    assert unreadable(tmp_path / "none") == "No such file or directory"
    assert unreadable(tmp_path) == "Is a directory"
    assert [expected for _, _, expected, _ in secret_findings(("a",), tmp_path)] == [
        "a readable file with the HMAC key"
    ]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("redis://h", None),
        ("redis://a:1,b:2/s", None),
        ("file:///srv", None),
        ("redsi://h", "did you mean redis://?"),
        ("redis://", "the host is missing"),
        ("redis://h:0", "ports are 1 to 65535"),
        ("file://", "the folder is missing"),
        ("redis://[::1", "Invalid IPv6 URL"),
    ],
)
def test_urls(url: str, hint: str | None) -> None:
    found = list(url_findings(("a",), url, ("redis", "file")))
    assert [finding[3] for finding in found] == ([] if hint is None else [hint])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Worker-Token": "geheim", "Authorization": "Basic dTpw"},
        {"X-!#$%&'*+.^_`|~": "a b\tc"},
        {f"X-{number}": "x" * MAX_HEADER_VALUE for number in range(MAX_HEADERS)},
    ],
)
def test_headers_of_callbacks(headers: dict[str, str]) -> None:
    assert list(header_findings((), headers)) == []


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"X Token": "geheim"}, "header names"),
        ({"X-Token:": "geheim"}, "header names"),
        ({"": "geheim"}, "header names"),
        ({"Ü": "geheim"}, "header names"),
        ({"X\r\nY": "geheim"}, "header names"),
        ({"x" * 65: "geheim"}, "header names"),
        ({"X-Token": "geheim\r\nX-Other: 1"}, "printable ASCII"),
        ({"X-Token": "geheim\n"}, "printable ASCII"),
        ({"X-Token": " geheim"}, "white space"),
        ({"X-Token": "gehüim"}, "printable ASCII"),
        ({"X-Token": ""}, "1 to 4096"),
        ({"X-Token": "x" * (MAX_HEADER_VALUE + 1)}, "1 to 4096"),
        ({"X-Token": "geheim", "x-token": "geheim"}, "each header once"),
        ({f"X-{number}": "geheim" for number in range(MAX_HEADERS + 1)}, "at most 16"),
        *(({name.title(): "geheim"}, "does not set itself") for name in sorted(HOP_BY_HOP_HEADERS)),
        ({"Pageworker-Signature": "geheim"}, "does not set itself"),
        ({"Webhook-Signature": "geheim"}, "does not set itself"),
        ({"Idempotency-Key": "geheim"}, "does not set itself"),
        ({"Host": "geheim"}, "does not set itself"),
        ({"Content-Length": "geheim"}, "does not set itself"),
    ],
)
def test_other_headers_are_refused_without_their_values(headers: dict[str, str], words: str) -> None:
    findings = list(header_findings(("callback_headers",), headers))
    assert findings
    assert all(words in f"{expected} {hint}" for _, _, expected, hint in findings)
    assert "geheim" not in str(findings)
