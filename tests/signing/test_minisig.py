"""Signature files: exchanged with minisign, and read strictly."""

import base64
import hashlib
from pathlib import Path

import pytest
from pw_modules.minisign import minisign

from pageworker_sandbox.signing import BadSignature, SecretKey, TrustStore, UntrustedKey, minisig, write_secret
from pageworker_sandbox.signing.errors import KeyUnusable
from pageworker_sandbox.signing.keys import PublicKey

KEY = SecretKey.new()
DATA = b"some bytes"


def verified(signature: bytes, data: bytes = DATA, key: SecretKey = KEY) -> str:
    parsed = minisig.parse(signature)
    return minisig.check(parsed, data, TrustStore([key.public]).key_for(parsed))


def test_it_verifies_what_it_signed_and_nothing_else() -> None:
    signature = minisig.sign(DATA, KEY, "what is said")
    assert verified(signature) == "what is said"
    with pytest.raises(BadSignature):
        verified(signature, DATA + b"!")
    with pytest.raises(BadSignature):
        verified(signature.replace(b"what is said", b"what is sold"))
    with pytest.raises(UntrustedKey, match="not trusted"):
        verified(signature, key=SecretKey.new())


def test_the_untrusted_comment_may_be_anything() -> None:
    first, rest = minisig.sign(DATA, KEY, "said").split(b"\n", 1)
    assert verified(b"untrusted comment: \xff\x00 whatever\n" + rest) == "said"
    assert first.startswith(b"untrusted comment: ")


def test_a_key_of_the_same_id_does_not_do() -> None:
    other = SecretKey(KEY.id, SecretKey.new().seed)
    with pytest.raises(BadSignature):
        verified(minisig.sign(DATA, other, "said"))
    with pytest.raises(KeyUnusable):
        TrustStore([KEY.public, other.public])


def test_no_signature_is_valid_without_a_trusted_key() -> None:
    with pytest.raises(UntrustedKey) as refused:
        TrustStore().key_for(minisig.parse(minisig.sign(DATA, KEY, "said")))
    assert "modules.trusted_keys" in refused.value.mend


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"untrusted comment", b"Untrusted comment"),
        (b"\ntrusted comment: ", b"\ntrusted comment:"),
        (b"==\n", b"==\n\n"),
        (b"==\n", b"=="),
        (b"==\n", b"==\nmore\n"),
        (b"==\n", b"== \n"),
        (b"said", b"sa\rid"),
    ],
)
def test_another_form_is_refused(old: bytes, new: bytes) -> None:
    signature = minisig.sign(DATA, KEY, "said")
    assert old in signature
    with pytest.raises(BadSignature):
        verified(signature.replace(old, new))


def test_windows_line_ends_are_read() -> None:
    """A checkout on Windows changes them."""
    assert verified(minisig.sign(DATA, KEY, "said").replace(b"\n", b"\r\n")) == "said"


def test_base64_that_only_means_the_same_is_refused() -> None:
    lines = minisig.sign(DATA, KEY, "said").split(b"\n")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    # 74 bytes leave two unused bits in the last character before the padding.
    last = alphabet.index(lines[1][-2:-1])
    same = lines[1][:-2] + alphabet[last | 1 : (last | 1) + 1] + b"="
    assert base64.b64decode(same) == base64.b64decode(lines[1])
    with pytest.raises(BadSignature, match="canonical"):
        verified(b"\n".join([lines[0], same, *lines[2:]]))


def test_a_signature_is_not_read_without_end() -> None:
    with pytest.raises(BadSignature, match="at most"):
        minisig.parse(b"untrusted comment: " + b"x" * 100_000)


def test_minisign_accepts_ours(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(DATA)
    (tmp_path / "f.minisig").write_bytes(minisig.sign(DATA, KEY, "name:a version:1.0.0"))
    checked = minisign("-V", "-H", "-m", file, "-P", KEY.public.line())
    assert checked.returncode == 0, checked.stderr
    assert "name:a version:1.0.0" in checked.stdout


def test_we_accept_minisigns_but_not_its_legacy_ones(tmp_path: Path) -> None:
    (tmp_path / "k").write_text(write_secret(KEY, None))
    file = tmp_path / "f"
    file.write_bytes(DATA)
    assert minisign("-S", "-s", tmp_path / "k", "-m", file, "-t", "by minisign").returncode == 0
    assert verified((tmp_path / "f.minisig").read_bytes()) == "by minisign"
    assert minisign("-S", "-l", "-s", tmp_path / "k", "-m", file).returncode == 0
    with pytest.raises(BadSignature, match="legacy"):
        verified((tmp_path / "f.minisig").read_bytes())


def test_a_comment_that_is_not_utf8_is_refused() -> None:
    signature = KEY.sign(hashlib.blake2b(DATA, digest_size=64).digest())
    comment = b"\xff\xfe"
    lines = [
        b"untrusted comment: x",
        base64.b64encode(b"ED" + KEY.id + signature),
        b"trusted comment: " + comment,
        base64.b64encode(KEY.sign(signature + comment)),
        b"",
    ]
    with pytest.raises(BadSignature, match="UTF-8"):
        verified(b"\n".join(lines))


def test_the_key_id_reads_as_minisign_prints_it() -> None:
    assert PublicKey(bytes(range(8)), b"").name == "0706050403020100"
