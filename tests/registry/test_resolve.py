"""Resolving versions, comparing indexes, and which tenants may run a module, without a registry."""

from datetime import UTC, datetime

import pytest
from pw_modules.author import Author, packed

from pageworker_sandbox.signing import Index, IndexedModule, IndexedVersion, verify
from pageworker_supervisor.registry.errors import ModuleUnknown, TenantNotAllowed
from pageworker_supervisor.registry.resolve import Changes, Move, changes, check_tenant, resolve
from pageworker_supervisor.registry.version_choice import VersionWish, WorkerScope


def index(**modules: IndexedModule) -> Index:
    return Index(serial=1, expires=datetime(2030, 1, 1, tzinfo=UTC), modules=modules)


def listed(*versions: str, yanked: str = "", **channels: str) -> IndexedModule:
    return IndexedModule(
        versions={v: IndexedVersion(sha256="0" * 64, bytes=1, yanked=v == yanked) for v in versions}, channels=channels
    )


def test_a_release_names_the_bundle_of_the_chosen_version() -> None:
    both = index(a=listed("1.0.0", "2.0.0", stable="2.0.0"))
    assert resolve(both, "a", VersionWish(), WorkerScope()).file == "a-2.0.0.zip"
    assert resolve(both, "a", VersionWish(pin="1.0.0"), WorkerScope()).file == "a-1.0.0.zip"
    with pytest.raises(ModuleUnknown, match="there is no module ab; did you mean a"):
        resolve(both, "ab", VersionWish(), WorkerScope())


def test_changes() -> None:
    before = index(a=listed("1.0.0", "1.1.0", stable="1.0.0"), gone=listed("1.0.0", stable="1.0.0"))
    after = index(a=listed("1.0.0", "1.1.0", yanked="1.0.0", stable="1.1.0"), new=listed("0.1.0", canary="0.1.0"))
    assert changes(before, after) == Changes(
        added=("new@0.1.0",),
        removed=("a@1.0.0", "gone@1.0.0"),
        moved=(
            Move("a", "stable", "1.0.0", "1.1.0"),
            Move("gone", "stable", "1.0.0", None),
            Move("new", "canary", None, "0.1.0"),
        ),
    )
    assert not changes(after, after)
    assert changes(None, after)


AUTHOR = Author()


@pytest.mark.parametrize(
    ("tenants", "tenant_id", "allowed"),
    [
        ('["*"]', "acme", True),
        ("[]", "acme", False),
        ('["acme"]', "acme", True),
        ('["acme"]', "acme-2", False),
        ('["acme-*", "b?"]', "acme-2", True),
        ('["acme-*", "b?"]', "b1", True),
        ('["acme-*", "b?"]', "b", False),
    ],
)
def test_a_glob_of_the_manifest_has_to_match(tenants: str, tenant_id: str, allowed: bool) -> None:
    bundle = verify(AUTHOR.signed(packed(more=f"tenants = {tenants}\n")), AUTHOR.trust)
    if allowed:
        check_tenant(bundle, tenant_id)
        return
    with pytest.raises(TenantNotAllowed, match=f"shop.product 1.4.2 does not allow tenant {tenant_id}"):
        check_tenant(bundle, tenant_id)
