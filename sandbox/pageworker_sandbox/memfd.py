"""Sealed memfds: how large bytes cross the sandbox boundary. Source: memfd_create(2), fcntl(2) F_ADD_SEALS.

The sender could change an unsealed memfd while it is read, or truncate it (SIGBUS in the reader). So the reader asks
the kernel whether the descriptor is a memfd and has all four seals.
"""

import fcntl
import os
import stat

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
MFD_NOEXEC_SEAL = 0x8  # since Linux 6.3
MAX_NAME_BYTES = 200  # the kernel's limit is 249


class NotSealed(Exception):
    """The descriptor is not a sealed memfd of the permitted size. The blame is the peer's."""


def seal(data: bytes | bytearray | memoryview, name: str) -> int:
    """A new sealed memfd with these bytes. The caller closes it. Raises OSError."""
    descriptor = create(name)
    try:
        append(descriptor, data)
        finish(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def append(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write more bytes into a memfd that `create` made. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def finish(descriptor: int) -> None:
    """Seal a memfd: its bytes stay as they are. Raises OSError."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)


def sealed_bytes(descriptor: int, max_bytes: int) -> int:
    """Size in bytes of a received memfd that is sealed and not larger than `max_bytes`. Raises NotSealed."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError as error:
        # Only memfds and hugetlbfs files have seals. Other files answer EINVAL, a number that is not open EBADF.
        raise NotSealed("not a memfd") from error
    if seals & SEALS != SEALS:
        raise NotSealed(f"the memfd has seals {seals:#x}, expected {SEALS:#x}")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise NotSealed("not a regular file")
    if status.st_size > max_bytes:
        raise NotSealed(f"the memfd has {status.st_size} bytes, at most {max_bytes} are permitted")
    return status.st_size


def read_sealed(descriptor: int, max_bytes: int) -> bytes:
    """The bytes of a received memfd. Does not close it. Raises NotSealed."""
    size = sealed_bytes(descriptor, max_bytes)
    parts = []
    offset = 0
    while offset < size:
        # A sparse memfd needs no memory of its sender. Here it needs at most `max_bytes`.
        part = _read(descriptor, size - offset, offset)
        if not part:
            raise NotSealed("the memfd ended before its size")
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _read(descriptor: int, size: int, offset: int) -> bytes:
    try:
        return os.pread(descriptor, size, offset)
    except OSError as error:
        raise NotSealed(f"the memfd cannot be read: {error.strerror}") from error


def create(name: str) -> int:
    """A new empty memfd that can be sealed. The caller closes it. Raises OSError."""
    label = name.encode(errors="replace")[:MAX_NAME_BYTES].replace(b"\0", b"?").decode(errors="replace")
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(label, flags | MFD_NOEXEC_SEAL)
    except OSError:
        return os.memfd_create(label, flags)  # a kernel before 6.3 does not have MFD_NOEXEC_SEAL
