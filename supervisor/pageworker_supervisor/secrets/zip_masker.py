"""The zip masker: masks the secrets in one zip file, in a process that has limits and nothing else.

    python -I -m pageworker_supervisor.secrets.zip_masker PARENT_PID

It reads one ZipToMask from stdin until the end, and writes one MaskedZip to stdout. Secrets are in neither its
arguments nor its environment. The kernel ends it when it uses too much processor time or memory.
"""

import ctypes
import os
import resource
import signal
import sys

import msgspec
from msgspec import Struct

from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.zip_masking import ZipNotMaskable, masked_zip

PR_SET_PDEATHSIG = 1
SECONDS = 60
MEMORY_BYTES = 1024 * 1024 * 1024


class ZipToMask(Struct, frozen=True):
    """A zip file of a runner, and names and values of the secrets that its job was granted."""

    secrets: tuple[tuple[str, str], ...]
    untrusted_data: bytes


class MaskedZip(Struct, frozen=True):
    """The file without the secrets, or why it cannot be masked."""

    data: bytes | None = None
    why_not: str | None = None


def answer(task: ZipToMask) -> MaskedZip:
    """Mask one file."""
    masker = SecretMasker()
    for name, value in task.secrets:
        masker.add(name, value)
    try:
        return MaskedZip(data=masked_zip(task.untrusted_data, masker))
    except ZipNotMaskable as error:
        return MaskedZip(why_not=str(error))


def main(parent: str) -> None:
    """Answer and end. Exit status 1 if the parent has ended."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have ended before the prctl above. Then no signal comes.
    if os.getppid() != int(parent):
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=ZipToMask)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer(task)))


if __name__ == "__main__":
    main(sys.argv[1])
