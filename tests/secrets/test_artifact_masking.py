"""Artifacts without secrets. A zip file is unpacked in a process of its own."""

import io
import os
import socket
import sys
import zipfile
from pathlib import Path

import pytest

from pageworker_supervisor.secrets.artifact_masking import masked_artifact
from pageworker_supervisor.secrets.masker import SecretMasker

SECRET = "correct-horse"
MASKER = SecretMasker()
MASKER.add("login", SECRET)


def packed(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("trace", content)
    return out.getvalue()


async def test_without_secrets_nothing_is_read() -> None:
    data = b"PK\x03\x04 no zip file at all"
    assert await masked_artifact(data, SecretMasker()) == (data, None)


async def test_text_is_masked() -> None:
    assert await masked_artifact(f"<p>{SECRET}</p>".encode(), MASKER) == (b"<p>(secret login)</p>", None)


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
async def test_a_picture_stays_as_it_is(start: bytes) -> None:
    data = start + b"pixels"
    assert await masked_artifact(data, MASKER) == (data, None)


async def test_a_zip_file_is_masked_inside() -> None:
    masked, why_not = await masked_artifact(packed(SECRET.encode()), MASKER)
    assert why_not is None
    with zipfile.ZipFile(io.BytesIO(masked)) as file:
        assert file.read("trace") == b"(secret login)"


async def test_a_zip_file_that_cannot_be_masked_becomes_a_note() -> None:
    note, why_not = await masked_artifact(b"PK\x03\x04" + SECRET.encode(), MASKER)
    assert "no valid zip file" in (why_not or "")
    assert (why_not or "?") in note.decode()
    assert SECRET.encode() not in note


async def test_a_process_that_does_not_answer_costs_the_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    # It ends at once, because that is not its parent.
    monkeypatch.setattr(os, "getpid", os.getppid)
    note, why_not = await masked_artifact(packed(SECRET.encode()), MASKER)
    assert "did not answer" in (why_not or "")
    assert SECRET.encode() not in note


async def test_the_process_gets_no_environment_and_no_descriptor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A script in the place of Python writes down what it was given."""
    script, seen = tmp_path / "python", tmp_path / "seen"
    script.write_text(f"#!/bin/sh\ncat /proc/$$/environ > {seen}\nls -l /proc/$$/fd > {seen}.fds\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://me:secret@h")
    with socket.socket() as other:
        os.set_inheritable(other.fileno(), True)
        inherited = f"socket:[{os.fstat(other.fileno()).st_ino}]"
        _, why_not = await masked_artifact(packed(SECRET.encode()), MASKER)
    assert "did not answer" in (why_not or "")
    assert seen.read_bytes() == b""
    opened = (tmp_path / "seen.fds").read_text()
    assert "pipe:[" in opened or "socket:[" in opened, "its own connection"
    assert inherited not in opened
