"""One-time passwords: the vectors of RFC 6238, and seeds as sites show them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.secrets.totp import SeedInvalid, TotpSeed, code_at, parse_seed

KEYS = {
    "sha1": b"12345678901234567890",
    "sha256": b"12345678901234567890123456789012",
    "sha512": b"1234567890123456789012345678901234567890123456789012345678901234",
}
"""Appendix B, with the errata: each digest has a key of its own length."""


@pytest.mark.parametrize(
    ("seconds", "digest", "code"),
    [
        (59, "sha1", "94287082"),
        (59, "sha256", "46119246"),
        (59, "sha512", "90693936"),
        (1111111109, "sha1", "07081804"),
        (1111111109, "sha256", "68084774"),
        (1111111109, "sha512", "25091201"),
        (1111111111, "sha1", "14050471"),
        (1234567890, "sha1", "89005924"),
        (2000000000, "sha1", "69279037"),
        (2000000000, "sha256", "90698825"),
        (2000000000, "sha512", "38618901"),
        (20000000000, "sha1", "65353130"),
        (20000000000, "sha512", "47863826"),
    ],
)
def test_the_vectors_of_the_rfc(seconds: int, digest: str, code: str) -> None:
    assert code_at(TotpSeed(key=KEYS[digest], digest=digest, digits=8), seconds) == code


def test_a_seed_is_base32_as_sites_show_it() -> None:
    plain = base64.b32encode(KEYS["sha1"]).decode()
    spaced = " ".join(plain[n : n + 4] for n in range(0, len(plain), 4)).lower()
    assert parse_seed(spaced) == parse_seed(plain) == TotpSeed(key=KEYS["sha1"])
    assert code_at(parse_seed(plain), 59) == "287082"


def test_a_uri_says_how_codes_are_made() -> None:
    seed = base64.b32encode(KEYS["sha256"]).decode().rstrip("=")
    uri = f"otpauth://totp/Shop:ada?secret={seed}&issuer=Shop&algorithm=SHA256&digits=8&period=60"
    assert parse_seed(uri) == TotpSeed(key=KEYS["sha256"], digest="sha256", digits=8, period_seconds=60)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no seed"),
        ("hunter22!", "neither base32"),
        ("otpauth://hotp/x?secret=MZXW6", "only `totp`"),
        ("otpauth://totp/x", "no seed"),
        ("otpauth://totp/x?secret=hunter22!", "neither base32"),
        ("otpauth://totp/x?secret=MZXW6&digits=9", "digits"),
        ("otpauth://totp/x?secret=MZXW6&algorithm=MD5", "algorithm"),
        ("otpauth://totp/x?secret=MZXW6&period=0", "period"),
        ("otpauth://totp/x?secret=MZXW6&period=x", "period"),
    ],
)
def test_anything_else_is_refused_without_its_text(text: str, why: str) -> None:
    with pytest.raises(SeedInvalid, match=why) as caught:
        parse_seed(text)
    assert "hunter22" not in str(caught.value)


@given(st.binary(min_size=1, max_size=64), st.integers(0, 2**40), st.sampled_from((6, 7, 8)))
def test_a_code_has_its_digits_and_changes_with_the_period_alone(key: bytes, seconds: int, digits: int) -> None:
    seed = TotpSeed(key=key, digits=digits)
    code = code_at(seed, seconds)
    assert len(code) == digits
    assert code.isdecimal()
    assert code == code_at(seed, seconds - seconds % 30 + 29.9)


def test_the_text_of_a_seed_does_not_show_its_key() -> None:
    assert "12345" not in repr(TotpSeed(key=KEYS["sha1"]))
