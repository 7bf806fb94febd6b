"""Attacks on a registry, each refused with an error of its own. The control: without the attack, the module runs.

The attacker writes what he likes into the registry, and has no trusted key, or one that may do less than he wants.
An older serial to a fresh worker: test_fleet_serial.py.
"""

import asyncio
import io
import shutil
import stat
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pw_modules.author import CODE, SCHEMA, Author, manifest, packed
from pw_modules.clock import Clock
from pw_modules.serving import ObjectServer

from pageworker_sandbox.signing import (
    LIMITS,
    BadSignature,
    BundleMalformed,
    BundleRenamed,
    BundleSwapped,
    ChannelOutOfScope,
    Index,
    IndexedModule,
    IndexedVersion,
    IndexExpired,
    IndexMalformed,
    IndexOutOfScope,
    IndexRolledBack,
    KeyExpired,
    KeyRevoked,
    KeyScope,
    ManifestInvalid,
    ModuleOutOfScope,
    NativeCode,
    Revocation,
    SignatureRule,
    SignaturesMissing,
    TenantOutOfScope,
    TrustedKey,
    TrustStore,
    UntrustedBundle,
    UntrustedKey,
    authenticate_index,
    minisig,
    sign,
    sign_index,
    verify,
)
from pageworker_sandbox.signing.archive import write_archive
from pageworker_sandbox.signing.bundle import write_bundle
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ClockSetBack, PackRefused, RegistryAway, RegistryRefused
from pageworker_supervisor.registry.index_file import fetch_newest, write_index
from pageworker_supervisor.registry.index_update import next_index, renew
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.store import Fetched, Store

ZIP = "shop.product-1.4.2.zip"
THEN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class AttackedRegistry:
    """A registry with one module, and the workers that read it."""

    place: Path
    state: Path
    author: Author
    clock: Clock

    async def worker(self, trust: TrustStore | None = None, state: str = "worker") -> Registry:
        return await Registry.open(self.place, trust or self.author.trust, self.state / state, now=self.clock)

    async def run(self, registry: Registry, tenant: str = "acme") -> None:
        """As an attempt admits a job."""
        release = registry.resolve("shop.product")
        registry.check_tenant(await registry.bundle(release), tenant, release.channel)

    async def run_with(self, scope: KeyScope, tenant: str = "acme", *rules: SignatureRule) -> None:
        """The same on a new worker that trusts the author so far."""
        trust = TrustStore([TrustedKey(self.author.key.public, scope)], rules=rules)
        await self.run(await self.worker(trust), tenant)

    def write(self, name: str, data: bytes) -> None:
        (self.place / name).write_bytes(data)

    def by_hand(self, data: bytes, comment: str = "timestamp:1") -> None:
        """Verify bytes that the author has signed without looking."""
        verify(UntrustedBundle(data, minisig.sign(data, self.author.key, comment)), self.author.trust)


async def control(t: AttackedRegistry) -> None:
    await t.run(await t.worker())


async def older_serial(t: AttackedRegistry) -> None:
    registry = await t.worker()
    shutil.copytree(t.place, t.place.with_name("old"))
    await t.author.publish(t.place, packed(version="1.5.0"))
    await registry.refresh()
    shutil.rmtree(t.place)
    t.place.with_name("old").rename(t.place)
    await registry.refresh()


async def expired(t: AttackedRegistry) -> None:
    t.clock.pass_days(91)
    await control(t)


async def swapped(t: AttackedRegistry) -> None:
    other = t.author.signed(packed(code=CODE + b"# another\n"))
    t.write(ZIP, other.data)
    t.write(f"{ZIP}.minisig", other.signature)
    await control(t)


async def renamed(t: AttackedRegistry) -> None:
    t.by_hand(packed().data, "timestamp:1\tfile:shop.other-1.4.2.zip\thashed")


async def signed_for_another(t: AttackedRegistry) -> None:
    other = sign(packed(version="9.9.9"), t.author.key)
    comment = other.decode().splitlines()[2].removeprefix("trusted comment: ")
    t.by_hand(packed().data, comment)


async def mixed_index(t: AttackedRegistry) -> None:
    old = (t.place / "index.json.minisig").read_bytes()
    await t.author.publish(t.place, packed(version="1.5.0"))
    t.write("index.json.minisig", old)
    (t.place / "index.signed").unlink()
    await control(t)


async def index_as_bundle(t: AttackedRegistry) -> None:
    t.by_hand(packed().data, "index serial:1 expires:2030-01-01T00:00:00Z sha256:0")


async def unknown_key_of_the_index(t: AttackedRegistry) -> None:
    shutil.rmtree(t.place)
    await Author().publish(t.place, packed())
    await control(t)


async def unknown_key_of_the_bundle(t: AttackedRegistry) -> None:
    t.write(f"{ZIP}.minisig", Author().signed(packed()).signature)
    await control(t)


async def revoked(t: AttackedRegistry) -> None:
    key = t.author.key.public
    await t.run(await t.worker(TrustStore([key], {key.id: Revocation(THEN, "stolen")})))


async def ended_key(t: AttackedRegistry) -> None:
    await t.run_with(KeyScope(not_after=t.clock.now))


async def module_out_of_scope(t: AttackedRegistry) -> None:
    await t.run_with(KeyScope(modules=("pay.*",)))


async def tenant_out_of_scope(t: AttackedRegistry) -> None:
    await t.run_with(KeyScope(tenants=("acme",)), "other")


async def channel_out_of_scope(t: AttackedRegistry) -> None:
    await t.run_with(KeyScope(channels=("canary",)))


async def index_out_of_scope(t: AttackedRegistry) -> None:
    await t.run_with(KeyScope(may_index=False))


async def one_of_two(t: AttackedRegistry) -> None:
    await t.run_with(KeyScope(), "acme", SignatureRule(("*",), 2))


async def truncated(t: AttackedRegistry) -> None:
    t.write(ZIP, packed().data[:-10])
    await control(t)


async def appended(t: AttackedRegistry) -> None:
    t.write(ZIP, packed().data + b"PK")
    await control(t)


async def appended_and_signed(t: AttackedRegistry) -> None:
    t.by_hand(packed().data + b"\0")


async def path_traversal(t: AttackedRegistry) -> None:
    t.by_hand(write_archive({"../evil.py": CODE}))


async def absolute_path(t: AttackedRegistry) -> None:
    t.by_hand(write_archive({"/etc/evil.py": CODE}))


async def symlink(t: AttackedRegistry) -> None:
    entry = zipfile.ZipInfo("shop_product/link.py", (1980, 1, 1, 0, 0, 0))
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    t.by_hand(zipped([(entry, b"/etc/passwd")]))


async def symlink_in_the_folder(t: AttackedRegistry) -> None:
    folder = t.state / "module"
    (folder / "shop_product").mkdir(parents=True)
    (folder / "module.toml").write_text(manifest())
    (folder / "shop_product/__init__.py").write_bytes(CODE)
    (folder / "shop_product/secret.py").symlink_to("/etc/passwd")
    pack(folder)


async def zip_bomb(t: AttackedRegistry) -> None:
    entry = zipfile.ZipInfo("bomb.py", (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    t.by_hand(zipped([(entry, bytes(20_000_000))]))


async def overlapping_entries(t: AttackedRegistry) -> None:
    data = write_archive({"a.py": bytes(1000), "b.py": b""})
    central = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    lengths = b"\xe8\x03\0\0" * 2
    t.by_hand(data[: central + 20] + lengths + data[central + 28 :])


async def duplicate_entry(t: AttackedRegistry) -> None:
    entries = [(zipfile.ZipInfo("a.py", (1980, 1, 1, 0, 0, 0)), data) for data in (b"one", b"two")]
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped(entries)
    t.by_hand(data)


async def native_code(t: AttackedRegistry) -> None:
    t.by_hand(
        write_bundle(manifest(), SCHEMA, {"shop_product/__init__.py": CODE, "shop_product/fast.cpython-311.so": b""})
    )


async def homoglyph_name(t: AttackedRegistry) -> None:
    text = manifest().replace('"shop.product"', '"sh\u043ep.product"')
    t.by_hand(write_bundle(text, SCHEMA, {"shop_product/__init__.py": CODE}))


async def homoglyph_in_the_index(t: AttackedRegistry) -> None:
    index = Index(serial=1, expires=THEN, modules={"sh\u043ep.product": IndexedModule()})
    authenticate_index(sign_index(index, t.author.key), t.author.trust)


async def version_with_a_path(t: AttackedRegistry) -> None:
    listed = IndexedModule(versions={"../1": IndexedVersion(sha256="0" * 64, bytes=1)})
    index = Index(serial=1, expires=THEN, modules={"a": listed})
    authenticate_index(sign_index(index, t.author.key), t.author.trust)


async def clock_set_back(t: AttackedRegistry) -> None:
    registry = await t.worker()
    t.clock.pass_days(100)
    with pytest.raises(IndexExpired):
        await t.run(registry)
    t.clock.pass_days(-50)
    await registry.refresh()
    t.clock.pass_days(-20)
    await t.run(await t.worker())


async def two_publishers(t: AttackedRegistry) -> None:
    """Both began with the same index. The second one to write would lose the first one's version."""
    store = Store("s3://bucket/modules")
    before, spare = await fetch_newest(store, t.author.trust, LIMITS)
    await Publisher(store, t.author.key).change()
    await write_index(store, sign_index(next_index(before, renew, t.clock.now), t.author.key), spare)


def zipped(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    """An archive as other programs write it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return file.getvalue()


Attack = Callable[[AttackedRegistry], Awaitable[None]]
TABLE: tuple[tuple[Attack, type[Exception], str], ...] = (
    (older_serial, IndexRolledBack, "is older than index"),
    (expired, IndexExpired, "expired at"),
    (swapped, BundleSwapped, "not the bundle that the index lists"),
    (renamed, BundleRenamed, "a file with another name"),
    (signed_for_another, BundleRenamed, "for another module than this bundle"),
    (mixed_index, BadSignature, "not valid for these bytes"),
    (index_as_bundle, BadSignature, "signature of an index, not of a bundle"),
    (unknown_key_of_the_index, UntrustedKey, "which is not trusted"),
    (unknown_key_of_the_bundle, UntrustedKey, "which is not trusted"),
    (revoked, KeyRevoked, "was revoked at .*: stolen"),
    (ended_key, KeyExpired, "whose `not_after` passed"),
    (module_out_of_scope, ModuleOutOfScope, "not for this module"),
    (tenant_out_of_scope, TenantOutOfScope, "not for tenant other"),
    (channel_out_of_scope, ChannelOutOfScope, "not for channel stable"),
    (index_out_of_scope, IndexOutOfScope, "may sign modules only"),
    (one_of_two, SignaturesMissing, "needs signatures by 2 keys"),
    (truncated, BadSignature, "not valid for these bytes"),
    (appended, BadSignature, "not valid for these bytes"),
    (appended_and_signed, BundleMalformed, "not by `workerctl module pack`"),
    (path_traversal, BundleMalformed, r"file '\.\./evil\.py'"),
    (absolute_path, BundleMalformed, "file '/etc/evil.py'"),
    (symlink, BundleMalformed, "not by `workerctl module pack`"),
    (symlink_in_the_folder, PackRefused, "a link out of the folder"),
    (zip_bomb, BundleMalformed, "is compressed"),
    (overlapping_entries, BundleMalformed, "larger than the file itself"),
    (duplicate_entry, BundleMalformed, "not by `workerctl module pack`"),
    (native_code, NativeCode, r"fast\.cpython-311\.so is compiled code"),
    (homoglyph_name, ManifestInvalid, "`name`: found"),
    (homoglyph_in_the_index, IndexMalformed, "is not a module name"),
    (version_with_a_path, IndexMalformed, "is not a semantic version"),
    (clock_set_back, ClockSetBack, "was at"),
    (two_publishers, RegistryRefused, "another publisher"),
)


@pytest.fixture
async def target(
    place: Path, state: Path, author: Author, clock: Clock, server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> AttackedRegistry:
    """`server` stands in for S3 where two publishers need conditional writes."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    await author.publish(place, packed())
    return AttackedRegistry(place, state, author, clock)


@pytest.mark.parametrize(("attack", "error", "told"), TABLE, ids=lambda value: getattr(value, "__name__", None))
async def test_an_attack_is_refused(
    target: AttackedRegistry, attack: Attack, error: type[Exception], told: str
) -> None:
    await control(target)
    shutil.rmtree(target.state / "worker")
    with pytest.raises(error, match=told) as refused:
        await attack(target)
    assert type(refused.value) is error


class Interrupted(Store):
    """A store whose publisher is killed before it writes a file."""

    def __init__(self, source: Path, writes: int) -> None:
        super().__init__(source)
        self._left = writes

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise RegistryAway("killed")

    def _put(self, name: str, data: bytes) -> None:
        self._count()
        super()._put(name, data)

    def _put_unless_changed(self, name: str, data: bytes, before: Fetched | None) -> None:
        self._count()
        super()._put_unless_changed(name, data, before)


@pytest.mark.parametrize("writes", range(6))
async def test_an_interrupted_publication_leaves_a_whole_registry(target: AttackedRegistry, writes: int) -> None:
    """Before each of its five writes, and after them: workers run the old version or the new one."""
    untrusted = target.author.signed(packed(version="1.5.0"))
    publishing = Publisher(Interrupted(target.place, writes), target.author.key).publish(untrusted, "stable")
    (failed,) = await asyncio.gather(publishing, return_exceptions=True)
    assert isinstance(failed, RegistryAway) is (writes < 5)
    registry = await target.worker()
    release = registry.resolve("shop.product")
    assert release.version == ("1.4.2" if writes < 4 else "1.5.0")
    assert (await registry.bundle(release)).version == release.version
    await target.author.publish(target.place, packed(version="1.5.0"))
    await registry.refresh()
    assert registry.resolve("shop.product").version == "1.5.0"
