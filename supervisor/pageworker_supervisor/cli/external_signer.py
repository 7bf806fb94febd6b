"""Signs through a program of the operator, which keeps the secret key: in an HSM, a KMS, on another host.

The program gets the bytes to sign on stdin, and writes the Ed25519 signature to stdout: 64 bytes, or their base64. It
is called twice per file, because minisign's format has two signatures. No answer is used before it has been verified.
"""

import base64
import binascii
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from pageworker_sandbox.signing import PublicKey, Signer
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.password import open_key
from pageworker_supervisor.registry.trust import load_public

SIGNER_SECONDS = 120.0
"""A person may have to press a button."""
SIGNATURE_BYTES = 64
TOLD_BYTES = 500

SignerCommand = Annotated[
    str | None,
    Parameter(
        help="Program that signs in place of a secret key file: it gets the bytes on stdin, and writes the Ed25519 "
        "signature (64 bytes, or base64) to stdout. `--key` is its public key then."
    ),
]


def open_signer(key: Path, password_file: Path | None, command: str | None) -> Signer:
    """The secret key in a file; with `command` that program, whose public key is `key`. Raises CommandError,
    KeyUnusable."""
    if command is None:
        return open_key(key, password_file)
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise CommandError(f"--signer {command!r}: {error}", exit_code=CommandExit.USAGE) from error
    if not words:
        raise CommandError("--signer is empty", "Name a program, with its arguments.", CommandExit.USAGE)
    return ExternalSigner(words, load_public(str(key)))


@dataclass(frozen=True)
class ExternalSigner:
    """A program and the public key of its signatures."""

    words: tuple[str, ...]
    public: PublicKey

    def sign(self, message: bytes) -> bytes:
        """The program's signature, verified. Blocks. Raises CommandError."""
        try:
            ended = subprocess.run(self.words, input=message, capture_output=True, timeout=SIGNER_SECONDS, check=False)
        except subprocess.TimeoutExpired as expired:
            raise self._failed(f"did not answer within {SIGNER_SECONDS:g} s") from expired
        except OSError as error:
            raise self._failed(f"cannot be started: {error.strerror}") from error
        if ended.returncode != 0:
            told = ended.stderr.decode(errors="replace").strip()[-TOLD_BYTES:]
            raise self._failed(f"ended with exit code {ended.returncode}: {told or 'it said nothing'}")
        signature = signature_in(ended.stdout)
        if signature is None:
            what = "a minisign file" if ended.stdout.startswith(b"untrusted comment:") else f"{len(ended.stdout)} bytes"
            raise self._failed(f"answered with {what}, not with an Ed25519 signature of 64 bytes or its base64")
        try:
            VerifyKey(self.public.key).verify(message, signature)
        except BadSignatureError:
            raise self._failed(f"signed with another key than {self.public.name}, or signed other bytes") from None
        return signature

    def _failed(self, what: str) -> CommandError:
        mend = "It must sign the bytes of its stdin as they are (Ed25519, RFC 8032), with the key of `--key`."
        return CommandError(f"the signer {self.words[0]} {what}", mend)


def signature_in(untrusted_answer: bytes) -> bytes | None:
    """The signature in an answer: 64 bytes, or their base64. None: it is something else."""
    if len(untrusted_answer) == SIGNATURE_BYTES:
        return untrusted_answer
    try:
        raw = base64.b64decode(b"".join(untrusted_answer.split()), validate=True)
    except binascii.Error:
        return None
    return raw if len(raw) == SIGNATURE_BYTES else None
