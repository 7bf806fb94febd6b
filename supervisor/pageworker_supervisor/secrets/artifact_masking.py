"""Masks secrets in the bytes of an artifact before it is stored. An artifact that cannot be masked becomes a note."""

import asyncio
import os
import sys

import msgspec

from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.zip_masker import MaskedZip, ZipToMask
from pageworker_supervisor.secrets.zip_masking import is_zip

PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""Compressed, so a search finds nothing in them. fill_secret covers the fields that it fills."""
ANSWER_SECONDS = 120.0
"""For a zip masker that does not get the processor. Its own limit counts processor time."""


async def masked_artifact(untrusted_data: bytes, masker: SecretMasker) -> tuple[bytes, str | None]:
    """The artifact without the masker's secrets, and why it was replaced by a note; None: it was not."""
    if not masker or untrusted_data.startswith(PICTURES):
        return untrusted_data, None
    if not is_zip(untrusted_data):
        # A search for bytes, no parsing. In a thread: 32 MiB take up to a second.
        return await asyncio.to_thread(masker.data, untrusted_data), None
    masked = await _in_a_process(ZipToMask(masker.secrets, untrusted_data))
    if masked.data is not None:
        return masked.data, None
    note = (
        f"This artifact was not stored. The job used secrets, and they could not be masked in it: {masked.why_not}.\n"
    )
    return note.encode(), masked.why_not


async def _in_a_process(task: ZipToMask) -> MaskedZip:
    """The supervisor itself unpacks no archive of a runner (docs/trust.md)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "pageworker_supervisor.secrets.zip_masker", str(os.getpid())),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer, _ = await process.communicate(msgspec.msgpack.encode(task))
        return msgspec.msgpack.decode(answer, type=MaskedZip)
    except (TimeoutError, msgspec.MsgspecError):
        return MaskedZip(why_not="the process that unpacks it did not answer, or needed too much time or memory")
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
