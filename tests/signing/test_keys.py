"""Key files, exchanged with the minisign program in both directions."""

import base64
from pathlib import Path
from resource import RLIM_INFINITY

import pytest
from pw_modules.minisign import LITTLE_MEMORY, minisign

from pageworker_sandbox.signing import KeyUnusable, SecretKey, WrongPassword, parse_public, read_secret, write_secret
from pageworker_sandbox.signing.keys import Cost, import_public, is_encrypted

CHEAP = Cost(operations=32768, memory_bytes=16 * 1024 * 1024)


@pytest.mark.parametrize("password", [None, b"correct horse"])
def test_a_key_survives_its_file(password: bytes | None) -> None:
    key = SecretKey.new()
    text = write_secret(key, password, CHEAP)
    assert is_encrypted(text) is (password is not None)
    assert read_secret(text, password) == key
    assert parse_public(key.public.file()) == parse_public(key.public.line()) == key.public


def test_a_wrong_or_missing_password_is_not_reported_as_damage() -> None:
    text = write_secret(SecretKey.new(), b"right", CHEAP)
    with pytest.raises(WrongPassword, match="wrong password"):
        read_secret(text, b"wrong")
    with pytest.raises(WrongPassword, match="give its password"):
        read_secret(text, None)


def test_a_damaged_open_key_is_noticed() -> None:
    comment, body, _ = write_secret(SecretKey.new(), None).split("\n")
    for at in (90, 120, 200):
        swapped = body[:at] + ("A" if body[at] != "A" else "B") + body[at + 1 :]
        with pytest.raises(KeyUnusable):
            read_secret(f"{comment}\n{swapped}\n", None)


@pytest.mark.parametrize("text", ["", "RW", "RWx" * 19, "untrusted comment: x\n", "A" * 56, "é" * 56])
def test_an_invalid_public_key_is_refused(text: str) -> None:
    with pytest.raises(KeyUnusable):
        parse_public(text)


@pytest.mark.parametrize("text", ["", "a\nb\n", "untrusted comment: x\nRWQ=\n"])
def test_an_invalid_secret_key_is_refused(text: str) -> None:
    with pytest.raises(KeyUnusable):
        read_secret(text, None)


@pytest.mark.parametrize("at", [38, 46])
def test_a_key_asking_for_absurd_effort_is_refused(at: int) -> None:
    comment, body, _ = write_secret(SecretKey.new(), b"x", CHEAP).split("\n")
    raw = bytearray(base64.b64decode(body))
    raw[at : at + 8] = (2**63).to_bytes(8, "little")
    with pytest.raises(KeyUnusable, match="more"):
        read_secret(f"{comment}\n{base64.b64encode(raw).decode()}\n", b"x")


def test_repr_shows_no_secret() -> None:
    key = SecretKey.new()
    assert str(key.seed) not in repr(key)
    assert key.seed.hex() not in repr(key)


@pytest.mark.parametrize("password", [None, "pw"])
def test_minisign_signs_with_our_key(tmp_path: Path, password: str | None) -> None:
    key = SecretKey.new()
    (tmp_path / "k.key").write_text(write_secret(key, password.encode() if password else None, CHEAP))
    (tmp_path / "k.pub").write_text(key.public.file())
    (tmp_path / "f").write_bytes(b"hello")
    signed = minisign("-S", "-s", tmp_path / "k.key", "-m", tmp_path / "f", typed=f"{password}\n" if password else "")
    assert signed.returncode == 0, signed.stderr
    assert minisign("-V", "-m", tmp_path / "f", "-p", tmp_path / "k.pub").returncode == 0


@pytest.mark.parametrize(
    ("password", "memory_bytes"),
    [
        pytest.param(None, RLIM_INFINITY, id="open"),
        pytest.param("pw", LITTLE_MEMORY, id="sealed with little memory"),
        pytest.param("pw", RLIM_INFINITY, id="sealed with 1 GiB of memory", marks=pytest.mark.exclusive),
    ],
)
def test_we_read_minisigns_key(tmp_path: Path, password: str | None, memory_bytes: int) -> None:
    how = ("-G", "-p", tmp_path / "k.pub", "-s", tmp_path / "k.key")
    typed = f"{password}\n{password}\n"
    made = minisign(*how, typed=typed, memory_bytes=memory_bytes) if password else minisign(*how, "-W")
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "k.key").read_text()
    key = read_secret(text, password.encode() if password else None)
    assert key.public == parse_public((tmp_path / "k.pub").read_text())
    assert key.public.name.lstrip("0") in (tmp_path / "k.pub").read_text(), "minisign leaves leading zeros out"


RAW = bytes.fromhex("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")
"""The public key of RFC 8410, section 10.1, whose PEM is the one below."""
PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""


def test_a_public_key_from_elsewhere_is_the_same_in_each_form() -> None:
    forms = (PEM, PEM.replace("\n", "\r\n"), RAW.hex(), RAW.hex().upper(), base64.b64encode(RAW).decode() + "\n")
    (key,) = {import_public(form) for form in forms}
    assert key.key == RAW
    assert parse_public(key.line()) == key


@pytest.mark.parametrize(
    "text", ["", "ab" * 31, "ab" * 33, PEM.replace("BEGIN PUBLIC", "BEGIN"), PEM.replace("VwAyEA", "VuAyEA"), "x" * 44]
)
def test_what_is_no_ed25519_key_is_refused(text: str) -> None:
    with pytest.raises(KeyUnusable, match="not an Ed25519 public key"):
        import_public(text)
