"""How an index is read while a publisher writes it, and when its files are damaged."""

from datetime import timedelta
from pathlib import Path

import pytest
from pw_modules.author import Author
from pw_modules.clock import Clock

from pageworker_sandbox.signing import (
    LIMITS,
    BadSignature,
    Index,
    IndexRolledBack,
    UntrustedIndex,
    UntrustedKey,
    sign_index,
)
from pageworker_supervisor.registry.errors import NotThere
from pageworker_supervisor.registry.index_file import (
    INDEX,
    SIGNATURE,
    SIGNED,
    bundle_file,
    fetch_index,
    fetch_newest,
    write_index,
)
from pageworker_supervisor.registry.store import Store


def signed(author: Author, clock: Clock, serial: int) -> UntrustedIndex:
    return sign_index(Index(serial=serial, expires=(clock() + timedelta(days=1)).replace(microsecond=0)), author.key)


@pytest.fixture
async def store(place: Path, author: Author, clock: Clock) -> Store:
    """A registry whose index has serial 5."""
    store = Store(place)
    async with store.locked():
        await write_index(store, signed(author, clock, 5), None)
    return store


def test_a_bundle_has_name_and_version_in_its_file_name() -> None:
    assert bundle_file("shop.product", "1.4.2") == "shop.product-1.4.2.zip"


async def test_an_index_is_read_once_per_version(store: Store, author: Author) -> None:
    read = await fetch_index(store, author.trust, LIMITS)
    assert read is not None
    assert (read.index.serial, read.instead_of) == (5, None)
    assert await fetch_index(store, author.trust, LIMITS, read.tag) is None


async def test_between_two_writes_of_a_publisher_the_signed_file_is_read(
    store: Store, place: Path, author: Author, clock: Clock
) -> None:
    (place / INDEX).write_bytes(signed(author, clock, 6).data)
    read = await fetch_index(store, author.trust, LIMITS)
    assert read is not None
    assert (read.index.serial, read.tag) == (5, None)
    assert isinstance(read.instead_of, BadSignature)


@pytest.mark.parametrize("damaged", [INDEX, INDEX + SIGNATURE])
async def test_a_damaged_file_is_replaced_by_the_signed_one(
    store: Store, place: Path, author: Author, damaged: str
) -> None:
    (place / damaged).write_bytes(b"x")
    read = await fetch_index(store, author.trust, LIMITS)
    assert read is not None
    assert read.index.serial == 5


async def test_the_signed_file_must_have_the_highest_serial_too(store: Store, place: Path, author: Author) -> None:
    with pytest.raises(IndexRolledBack, match="5 is older than index 6"):
        await fetch_index(store, author.trust, LIMITS, None, 6)
    (place / INDEX).unlink()
    with pytest.raises(NotThere):
        await fetch_index(store, author.trust, LIMITS, None, 6)


async def test_an_index_by_an_unknown_key_is_refused(store: Store) -> None:
    with pytest.raises(UntrustedKey):
        await fetch_index(store, Author().trust, LIMITS)


async def test_a_publisher_starts_from_the_newest_of_both(
    store: Store, place: Path, author: Author, clock: Clock
) -> None:
    newer = signed(author, clock, 9)
    (place / INDEX).write_bytes(newer.data)
    (place / (INDEX + SIGNATURE)).write_bytes(newer.signature)
    index, spare = await fetch_newest(store, author.trust, LIMITS)
    assert index is not None
    assert (index.serial, spare is not None) == (9, True)
    (place / INDEX).write_bytes(b"x")
    index, _ = await fetch_newest(store, author.trust, LIMITS)
    assert index is not None
    assert index.serial == 5


async def test_an_empty_registry_has_no_index(place: Path, author: Author) -> None:
    place.mkdir()
    assert await fetch_newest(Store(place), author.trust, LIMITS) == (None, None)


async def test_a_damaged_signed_file_stops_a_publisher(store: Store, place: Path, author: Author) -> None:
    (place / SIGNED).write_bytes(b"x")
    with pytest.raises(BadSignature):
        await fetch_newest(store, author.trust, LIMITS)
