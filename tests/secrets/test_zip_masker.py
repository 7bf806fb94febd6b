"""The program that masks one zip file: its answers, and the limits of its process."""

import io
import os
import subprocess
import sys
import zipfile

import msgspec

from pageworker_supervisor.secrets import zip_masker
from pageworker_supervisor.secrets.zip_masker import MaskedZip, ZipToMask, answer

SECRETS = (("login", "correct-horse"),)


def packed(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", content)
    return out.getvalue()


def run(task: bytes, parent: int) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-I", "-m", zip_masker.__name__, str(parent)]
    return subprocess.run(command, input=task, capture_output=True, env={}, cwd="/", check=False)


def test_a_file_is_answered_masked_or_with_the_reason() -> None:
    masked = answer(ZipToMask(SECRETS, packed(b"correct-horse")))
    assert masked.data is not None
    assert b"correct-horse" not in zipfile.ZipFile(io.BytesIO(masked.data)).read("a")
    assert answer(ZipToMask(SECRETS, b"PK")) == MaskedZip(why_not="it is no valid zip file: BadZipFile")


def test_it_runs_without_environment_and_arguments_with_secrets() -> None:
    ended = run(msgspec.msgpack.encode(ZipToMask(SECRETS, packed(b"correct-horse"))), os.getpid())
    masked = msgspec.msgpack.decode(ended.stdout, type=MaskedZip)
    assert masked.data is not None
    assert zipfile.ZipFile(io.BytesIO(masked.data)).read("a") == b"(secret login)"


def test_it_ends_with_another_parent() -> None:
    assert run(b"", 1 if os.getpid() != 1 else 2).returncode == 1
