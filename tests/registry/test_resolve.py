"""Resolving versions and comparing indexes, without a registry."""

from datetime import UTC, datetime

import pytest

from pageworker_sandbox.signing import Index, IndexedModule, IndexedVersion
from pageworker_supervisor.registry.errors import ModuleUnknown
from pageworker_supervisor.registry.resolve import Changes, ModuleChannel, Move, changes, resolve


def index(**modules: IndexedModule) -> Index:
    return Index(serial=1, expires=datetime(2030, 1, 1, tzinfo=UTC), modules=modules)


def listed(*versions: str, yanked: str = "", **channels: str) -> IndexedModule:
    return IndexedModule(
        versions={v: IndexedVersion(sha256="0" * 64, bytes=1, yanked=v == yanked) for v in versions}, channels=channels
    )


def test_a_pin_wins_over_the_channel() -> None:
    both = index(a=listed("1.0.0", "2.0.0", stable="2.0.0"))
    assert resolve(both, "a", None, ModuleChannel()).version == "2.0.0"
    assert resolve(both, "a", "1.0.0", ModuleChannel()).version == "1.0.0"
    assert resolve(both, "a", "1.0.0", ModuleChannel()).file == "a-1.0.0.zip"


def test_a_channel_is_not_replaced_unless_that_is_wanted() -> None:
    only = index(a=listed("1.0.0", stable="1.0.0"))
    with pytest.raises(ModuleUnknown, match=r"it has: stable"):
        resolve(only, "a", None, ModuleChannel("canary"))
    assert resolve(only, "a", None, ModuleChannel("canary", fall_back=True)).version == "1.0.0"
    with pytest.raises(ModuleUnknown, match="it has: none"):
        resolve(index(a=listed("1.0.0")), "a", None, ModuleChannel("canary", fall_back=True))


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
