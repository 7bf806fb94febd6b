"""A container is opened whole, as the snapshot that it is, or not at all."""

import io
import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pageworker_profiles.errors import SnapshotTampered
from pageworker_profiles.snapshots.cipher import (
    CHUNK_BYTES,
    EXTRA_BYTES,
    HEADER_BYTES,
    MAGIC,
    OpeningReader,
    SealingWriter,
)
from pageworker_profiles.snapshots.keys import bound_to

KEY = bytes(range(32))
BOUND = bound_to("acme", "p", "one")
NOISE = os.urandom(3 * CHUNK_BYTES)
"""It does not compress, so its container has several chunks."""
START = len(MAGIC) + HEADER_BYTES


def sealed(*parts: bytes, key: bytes = KEY, bound: bytes = BOUND) -> bytes:
    file = io.BytesIO()
    writer = SealingWriter(file, key, bound)
    for part in parts:
        writer.write(part)
    writer.close()
    assert writer.bytes == len(file.getvalue())
    return file.getvalue()


def opened(data: bytes, key: bytes = KEY, bound: bytes = BOUND, step: int = 10_000) -> bytes:
    reader = OpeningReader(io.BytesIO(data), key, bound)
    found = b"".join(iter(lambda: reader.read(step), b""))
    reader.finish()
    return found


CONTAINER = sealed(NOISE)


@settings(max_examples=20)
@given(st.lists(st.binary(max_size=200_000), max_size=4), st.integers(1, 200_000))
@example([], 1)
@example([bytes(10 * CHUNK_BYTES)], 70_000)
@example([bytes(CHUNK_BYTES - 1), b"x"], 1 << 20)
def test_what_was_written_is_read(parts: list[bytes], step: int) -> None:
    assert opened(sealed(*parts), step=step) == b"".join(parts)


@settings(max_examples=50)
@given(st.integers(0, len(CONTAINER) - 1), st.integers(1, 255))
@example(0, 1)
@example(len(MAGIC), 1)
@example(START, 1)
@example(len(CONTAINER) - 1, 128)
def test_a_flipped_byte_anywhere_is_refused(at: int, flip: int) -> None:
    changed = bytearray(CONTAINER)
    changed[at] ^= flip
    with pytest.raises(SnapshotTampered):
        opened(bytes(changed))


@settings(max_examples=30)
@given(st.integers(0, len(CONTAINER) - 1))
@example(0)
@example(START)
@example(START + CHUNK_BYTES + EXTRA_BYTES)
def test_a_container_that_is_cut_is_refused(length: int) -> None:
    with pytest.raises(SnapshotTampered):
        opened(CONTAINER[:length])


def chunks() -> list[bytes]:
    step = CHUNK_BYTES + EXTRA_BYTES
    return [CONTAINER[n : n + step] for n in range(START, len(CONTAINER), step)]


def test_chunks_in_another_order_twice_or_added_are_refused() -> None:
    head, found = CONTAINER[:START], chunks()
    assert len(found) >= 3
    assert opened(head + b"".join(found)) == NOISE
    for wrong in (
        [found[1], found[0], *found[2:]],
        [found[0], *found],
        [*found, found[-1]],
        [*found, b"x"],
        found[:-1],
        [found[-1]],
    ):
        with pytest.raises(SnapshotTampered):
            opened(head + b"".join(wrong))


@pytest.mark.parametrize(
    "bound", [bound_to("other", "p", "one"), bound_to("acme", "q", "one"), bound_to("acme", "p", "two"), b""]
)
def test_it_is_no_snapshot_of_another_tenant_or_profile_and_no_other_snapshot(bound: bytes) -> None:
    with pytest.raises(SnapshotTampered, match="another profile, snapshot or key"):
        opened(CONTAINER, bound=bound)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SnapshotTampered):
        opened(CONTAINER, key=KEY[::-1])


def test_the_same_content_has_another_container_each_time() -> None:
    assert sealed(b"x") != sealed(b"x")
    assert b"login" not in sealed(b"login" * 100)
