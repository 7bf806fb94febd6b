"""Sealed memfds: what is written is read, and nothing else is believed."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pageworker_sandbox import memfd


@contextmanager
def opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(3_000_000)], ids=len)
def test_what_is_sealed_is_read(data: bytes) -> None:
    with opened(memfd.seal(data, "shop.product")) as descriptor:
        assert memfd.read_sealed(descriptor, 3_000_000) == data
        assert memfd.read_sealed(descriptor, 3_000_000) == data


@pytest.mark.parametrize("name", ["", "a" * 10_000, "ü\0/\n"])
def test_any_name_will_do(name: str) -> None:
    with opened(memfd.seal(b"x", name)) as descriptor:
        assert memfd.read_sealed(descriptor, 1) == b"x"


def test_a_sealed_memfd_can_not_be_changed() -> None:
    with opened(memfd.seal(b"data", "x")) as descriptor:
        for change in (
            lambda: os.write(descriptor, b"evil"),
            lambda: os.ftruncate(descriptor, 0),
            lambda: os.ftruncate(descriptor, 100),
            lambda: fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0x10),
        ):
            with pytest.raises(PermissionError):
                change()


def test_too_large_is_refused() -> None:
    with opened(memfd.seal(b"12345", "x")) as descriptor, pytest.raises(memfd.NotSealed, match="at most 4"):
        memfd.read_sealed(descriptor, 4)


@pytest.mark.parametrize("lacking", [fcntl.F_SEAL_SEAL, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_WRITE])
def test_every_seal_counts(lacking: int) -> None:
    with opened(os.memfd_create("x", os.MFD_ALLOW_SEALING)) as descriptor:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, memfd.SEALS & ~lacking)
        with pytest.raises(memfd.NotSealed, match="seals"):
            memfd.read_sealed(descriptor, 10)


def test_what_is_no_memfd_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "fifo")
    pair = socket.socketpair()
    for path, flags in ((tmp_path / "file", os.O_RDONLY), (tmp_path / "fifo", os.O_RDWR), (tmp_path, os.O_RDONLY)):
        with opened(os.open(path, flags)) as descriptor, pytest.raises(memfd.NotSealed):
            memfd.read_sealed(descriptor, 10)
    for end in pair:
        with end, pytest.raises(memfd.NotSealed):
            memfd.read_sealed(end.fileno(), 10)
    with pytest.raises(memfd.NotSealed):
        memfd.read_sealed(987_654, 10)


def test_the_readers_offset_does_not_matter() -> None:
    with opened(memfd.seal(b"12345", "x")) as descriptor:
        os.lseek(descriptor, 3, os.SEEK_SET)
        assert memfd.read_sealed(descriptor, 5) == b"12345"
