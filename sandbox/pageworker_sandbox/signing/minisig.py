"""Detached signatures in the format of minisign: pre-hashed Ed25519, with a signed comment.

A signature file has four lines, each ended by one newline:

    untrusted comment: <anything; nothing signs it>
    base64("ED" + key id (8) + Ed25519(BLAKE2b-512(data)) (64))
    trusted comment: <text>
    base64(Ed25519(signature + trusted comment))

The parser is strict: every byte after the first line is either signed or fixed, but for Windows line ends. So no other
text is a valid signature.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from pageworker_sandbox.signing.errors import BadSignature
from pageworker_sandbox.signing.keys import PublicKey, Signer, canonical
from pageworker_sandbox.signing.limits import MAX_SIGNATURE_BYTES

_SHAPE = re.compile(
    rb"untrusted comment: [^\n]*\n([A-Za-z0-9+/=]{100})\ntrusted comment: ([^\n\r]*)\n([A-Za-z0-9+/=]{88})\n",
)


@dataclass(frozen=True)
class Signature:
    """A signature file with the right format. Nothing in it is verified yet."""

    key_id: bytes
    untrusted_signature: bytes
    untrusted_comment: bytes
    untrusted_comment_signature: bytes


def parse(untrusted_file: bytes) -> Signature:
    """Parse a `.minisig` file. Raises BadSignature."""
    if len(untrusted_file) > MAX_SIGNATURE_BYTES:
        raise BadSignature(f"a signature file has at most {MAX_SIGNATURE_BYTES} bytes")
    # A checkout on Windows may have changed the line ends. The trusted comment contains none.
    shape = _SHAPE.fullmatch(untrusted_file.replace(b"\r\n", b"\n"))
    if shape is None:
        raise BadSignature("not a minisign signature file")
    head = canonical(shape[1].decode("ascii"), 74)
    tail = canonical(shape[3].decode("ascii"), 64)
    if head is None or tail is None:
        raise BadSignature("not a minisign signature file: its base64 is not canonical")
    if head[:2] == b"Ed":
        raise BadSignature(
            "this is a legacy signature, not a pre-hashed one", "sign without -l, with minisign 0.10 or newer"
        )
    if head[:2] != b"ED":
        raise BadSignature("not an Ed25519 signature")
    return Signature(head[2:10], head[10:], shape[2], tail)


def check(signature: Signature, untrusted_data: bytes, key: PublicKey) -> str:
    """Verify both signatures and return the trusted comment. Raises BadSignature."""
    verify = VerifyKey(key.key).verify
    comment = signature.untrusted_comment
    try:
        verify(_digest(untrusted_data), signature.untrusted_signature)
        verify(signature.untrusted_signature + comment, signature.untrusted_comment_signature)
        return comment.decode()
    except BadSignatureError:
        raise BadSignature(f"the signature by key {key.name} is not valid for these bytes") from None
    except UnicodeDecodeError:
        raise BadSignature("the trusted comment is not UTF-8") from None


def sign(data: bytes, key: Signer, trusted_comment: str) -> bytes:
    """The text of a `.minisig` file for `data`."""
    comment = trusted_comment.encode()
    if b"\n" in comment or b"\r" in comment:
        raise ValueError("a trusted comment is one line")
    signature = key.sign(_digest(data))
    head = base64.b64encode(b"ED" + key.public.id + signature)
    tail = base64.b64encode(key.sign(signature + comment))
    first = b"untrusted comment: signature from pageworker key " + key.public.name.encode()
    return b"\n".join([first, head, b"trusted comment: " + comment, tail, b""])


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=64).digest()
