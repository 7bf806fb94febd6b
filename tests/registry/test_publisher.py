"""What a publisher may do to a registry, in folders and object stores."""

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from pw_modules.author import Author, packed
from pw_modules.clock import Clock
from pw_modules.minisign import minisign
from pw_modules.serving import ObjectServer

from pageworker_sandbox.signing import (
    LIMITS,
    BadSignature,
    BundleMalformed,
    Index,
    UntrustedBundle,
    UntrustedKey,
    verify_index,
)
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import RegistryRefused
from pageworker_supervisor.registry.index_file import fetch_index
from pageworker_supervisor.registry.index_update import point, yank
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.store import Store


async def index_of(place: Path | str, author: Author) -> Index:
    read = await fetch_index(Store(place), author.trust, LIMITS)
    assert read is not None
    return read.index


async def test_a_registry_is_what_the_contract_says(place: Path, author: Author, clock: Clock) -> None:
    await Publisher(Store(place), author.key, now=clock).publish(author.signed(packed()), "stable")
    names = {path.name for path in place.iterdir() if not path.name.startswith(".")}
    assert names == {
        "shop.product-1.4.2.zip",
        "shop.product-1.4.2.zip.minisig",
        "index.json",
        "index.json.minisig",
        "index.signed",
    }
    raw = msgspec.json.decode((place / "index.json").read_bytes())
    assert raw["modules"]["shop.product"]["channels"] == {"stable": "1.4.2"}
    assert raw["modules"]["shop.product"]["versions"]["1.4.2"]["bytes"] == len(packed().data)
    index = await index_of(place, author)
    assert index.expires - clock.now > timedelta(days=89)
    for name in ("index.json", "shop.product-1.4.2.zip"):
        checked = minisign("-V", "-m", place / name, "-P", author.key.public.line())
        assert checked.returncode == 0, checked.stderr
    assert "index serial:" in minisign("-V", "-m", place / "index.json", "-P", author.key.public.line()).stdout


async def test_the_serial_always_rises(place: Path, author: Author, clock: Clock) -> None:
    publisher = Publisher(Store(place), author.key, now=clock)
    serials = [(await publisher.change()).serial for _ in range(3)]
    clock.pass_days(-10)  # the publisher's clock was wrong
    serials.append((await publisher.change()).serial)
    assert serials == sorted(set(serials))
    for path in place.glob("index*"):
        path.unlink()
    clock.pass_days(11)
    assert (await publisher.change()).serial > serials[-1]


async def test_publishing_twice_does_no_harm_but_other_bytes_do(place: Path, author: Author) -> None:
    await author.publish(place, packed())
    await author.publish(place, packed())
    before = (place / "shop.product-1.4.2.zip").read_bytes()
    with pytest.raises(RegistryRefused, match="with other bytes") as refused:
        await author.publish(place, packed(code=b"async def handler(a, b, c, d): ...\n"))
    assert "raise `version`" in refused.value.mend
    assert (place / "shop.product-1.4.2.zip").read_bytes() == before


async def test_a_channel_goes_down_only_on_purpose(place: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.10.0"))
    with pytest.raises(RegistryRefused, match=r"lower than 1\.10\.0"):
        await author.publish(place, packed(version="1.9.0"))
    with pytest.raises(RegistryRefused):
        await author.publish(place, packed(version="1.10.0-rc.1"))
    await author.publish(place, packed(version="1.9.0"), "old")
    index = await author.publisher(place).change(point("shop.product", "stable", "1.9.0"))
    assert index.modules["shop.product"].channels == {"stable": "1.9.0", "old": "1.9.0"}
    with pytest.raises(RegistryRefused, match=r"no shop\.product 7\.0\.0"):
        await author.publisher(place).change(point("shop.product", "stable", "7.0.0"))


async def test_what_a_channel_means_is_not_yanked(place: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    with pytest.raises(RegistryRefused, match="channel stable"):
        await author.publisher(place).change(yank("shop.product", "1.0.0"))
    await author.publish(place, packed(version="1.1.0"))
    await author.publisher(place).change(yank("shop.product", "1.0.0"))
    for edit in (point("shop.product", "stable", "1.0.0"),):
        with pytest.raises(RegistryRefused, match="was yanked"):
            await author.publisher(place).change(edit)


async def test_unsigned_and_wrongly_signed_bundles_are_refused(place: Path, author: Author) -> None:
    signed, other = author.signed(packed()), Author()
    for bundle, expected in (
        (UntrustedBundle(signed.data, b""), BadSignature),
        (UntrustedBundle(signed.data, other.signed(packed()).signature), UntrustedKey),
        (UntrustedBundle(signed.data + b"\0", signed.signature), BadSignature),
    ):
        with pytest.raises(expected):
            await author.publisher(place).publish(bundle, "stable")
    assert not place.exists()
    await Publisher(Store(place), author.key, other.trust).publish(other.signed(packed()), "stable")


async def test_a_schema_that_no_worker_could_use_is_refused(place: Path, author: Author) -> None:
    with pytest.raises(BundleMalformed, match="look-around"):
        await author.publish(place, packed(schema={"type": "object", "properties": {"a": {"pattern": "(?=x)"}}}))


async def test_an_index_by_another_author_is_not_signed_over(place: Path, author: Author) -> None:
    await Author().publish(place, packed(version="6.6.6"))
    with pytest.raises(UntrustedKey):
        await author.publish(place, packed())


async def test_the_next_publisher_continues_after_one_that_was_killed(place: Path, author: Author) -> None:
    await author.publish(place, packed(version="1.0.0"))
    files = ("index.signed", "index.json", "index.json.minisig")
    before = {name: (place / name).read_bytes() for name in files}
    await author.publish(place, packed(version="1.1.0"))
    after = {name: (place / name).read_bytes() for name in files}
    for written in range(len(files) + 1):
        for at, name in enumerate(files):
            (place / name).write_bytes((after if at < written else before)[name])
        index = await author.publisher(place).change()
        assert set(index.modules["shop.product"].versions) >= {"1.0.0"}
        assert ("1.1.0" in index.modules["shop.product"].versions) is (written >= 1)


async def test_two_publishers_at_once_both_count(place: Path, author: Author) -> None:
    names = [f"shop.m{number}" for number in range(12)]
    await asyncio.gather(*(author.publish(place, packed(name)) for name in names))
    assert sorted((await index_of(place, author)).modules) == sorted(names)


async def test_an_object_store(
    state: Path, author: Author, server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 in path style. Credentials and endpoint come from the environment."""
    for name, value in (
        ("AWS_ENDPOINT_URL", server.url),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    source = "s3://bucket/some/modules"
    await author.publish(source, packed(version="1.0.0"))
    await author.publish(source, packed(version="1.1.0"))
    assert "/bucket/some/modules/index.json.minisig" in server.objects
    registry = await Registry.open(source, author.trust, state)
    assert (await registry.bundle(registry.resolve("shop.product"))).version == "1.1.0"
    assert not await registry.refresh()


async def test_two_publishers_to_an_object_store_do_not_overwrite_each_other(
    author: Author, server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    source = "s3://bucket/modules"
    names = [f"shop.m{number}" for number in range(6)]
    outcomes = await asyncio.gather(*(author.publish(source, packed(name)) for name in names), return_exceptions=True)
    published = {name for name, outcome in zip(names, outcomes, strict=True) if outcome is None}
    assert published
    assert all(outcome is None or isinstance(outcome, RegistryRefused) for outcome in outcomes)
    read = await fetch_index(Store(source), author.trust, LIMITS)
    assert read is not None
    assert set(read.index.modules) == published
    assert verify_index(read.raw, author.trust, read.index.expires - timedelta(days=1))


async def test_a_store_without_conditional_writes_is_refused() -> None:
    """Without conditional writes, one of two concurrent publications would be lost. The store refuses by itself."""
    with pytest.raises(RegistryRefused, match="no conditional writes") as refused:
        await Store("http://127.0.0.1:9/registry").put_unless_changed("index.json", b"{}", None)
    assert "S3" in refused.value.mend
