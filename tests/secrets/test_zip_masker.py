"""The program that masks one zip file: its answers, and the limits of its process."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
from pw_servers.waiting import until

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


def test_the_kernel_limits_its_time_and_its_memory() -> None:
    """Before it reads the first byte: it waits for its input here."""
    command = [sys.executable, "-I", "-m", zip_masker.__name__, str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={}, cwd="/") as process:
        limits = Path(f"/proc/{process.pid}/limits")
        try:
            until(lambda: f" {zip_masker.MEMORY_BYTES} " in limits.read_text(), "its memory is limited")
            rows = {line[:26].strip(): line[26:].split()[:2] for line in limits.read_text().splitlines()}
        finally:
            process.kill()
    assert rows["Max address space"] == [str(zip_masker.MEMORY_BYTES)] * 2
    assert rows["Max cpu time"] == [str(zip_masker.SECONDS)] * 2
    assert rows["Max core file size"] == rows["Max file size"] == ["0", "0"]


def test_a_file_that_needs_too_much_memory_ends_it() -> None:
    code = (
        "import sys; from pageworker_supervisor.secrets import zip_masker;"
        "zip_masker.MEMORY_BYTES = 256 * 1024 * 1024;"
        "zip_masker.answer = lambda task: bytearray(512 * 1024 * 1024);"
        "zip_masker.main(sys.argv[1])"
    )
    task = msgspec.msgpack.encode(ZipToMask(SECRETS, b""))
    command = [sys.executable, "-c", code, str(os.getpid())]
    ended = subprocess.run(command, input=task, capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith(b"MemoryError")
