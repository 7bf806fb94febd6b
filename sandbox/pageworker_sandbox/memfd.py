"""Large bytes across the wall: sealed memfds. Source: memfd_create(2), fcntl(2) F_ADD_SEALS.

A memfd that is not sealed could be changed, or truncated under the reader (SIGBUS), while it is read. So the
reader believes nothing but the kernel: it is a memfd, and all four seals are on.
"""

import fcntl
import os
import stat

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
MFD_NOEXEC_SEAL = 0x8  # since Linux 6.3
MAX_NAME_BYTES = 200  # the kernel's limit is 249


class NotSealed(Exception):
    """The peer sent a descriptor that is not a whole, sealed memfd of the permitted size."""


def seal(data: bytes | bytearray | memoryview, name: str) -> int:
    """A new sealed memfd with these bytes. The caller closes it. Raises OSError."""
    descriptor = _create(name)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def sealed_bytes(descriptor: int, max_bytes: int) -> int:
    """How many bytes a received memfd holds: it is whole, sealed, and not larger than permitted. Raises NotSealed."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError as error:
        # Only memfds and hugetlbfs files know seals; on anything else this is EINVAL, on a lying number EBADF.
        raise NotSealed("not a memfd") from error
    if seals & SEALS != SEALS:
        raise NotSealed(f"seals {seals:#x}, wanted {SEALS:#x}")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise NotSealed("not a regular file")
    if status.st_size > max_bytes:
        raise NotSealed(f"{status.st_size} bytes, at most {max_bytes}")
    return status.st_size


def read_sealed(descriptor: int, max_bytes: int) -> bytes:
    """The bytes of a received memfd, which stays open. Raises NotSealed."""
    size = sealed_bytes(descriptor, max_bytes)
    parts = []
    offset = 0
    while offset < size:
        # A sparse memfd costs its sender nothing, us `max_bytes` at most.
        part = _read(descriptor, size - offset, offset)
        if not part:
            raise NotSealed("shorter than it said")
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _read(descriptor: int, size: int, offset: int) -> bytes:
    try:
        return os.pread(descriptor, size, offset)
    except OSError as error:
        raise NotSealed(f"unreadable: {error.strerror}") from error


def _create(name: str) -> int:
    label = name.encode(errors="replace")[:MAX_NAME_BYTES].replace(b"\0", b"?").decode(errors="replace")
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(label, flags | MFD_NOEXEC_SEAL)
    except OSError:
        return os.memfd_create(label, flags)  # a kernel before 6.3 knows no MFD_NOEXEC_SEAL
