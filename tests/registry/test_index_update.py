"""What a publisher may change in an index."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pw_modules.author import Author, packed

from pageworker_sandbox.signing import Index, IndexedModule, IndexedVersion, VerifiedBundle, verify
from pageworker_supervisor.registry.errors import RegistryRefused
from pageworker_supervisor.registry.index_update import Edit, add, next_index, point, renew, yank

NOW = datetime(2030, 1, 1, 12, 0, 0, 5, tzinfo=UTC)
AUTHOR = Author()


def bundle(version: str, code: bytes = b"async def handler(page, payload, helpers, context): ...\n") -> VerifiedBundle:
    return verify(AUTHOR.signed(packed(version=version, code=code)), AUTHOR.trust)


def applied(*edits: Edit) -> Index:
    index = None
    for edit in edits:
        index = next_index(index, edit, NOW)
    assert index is not None
    return index


def module(*edits: Edit) -> IndexedModule:
    return applied(*edits).modules["shop.product"]


def test_a_bundle_is_listed_and_its_channel_points_to_it() -> None:
    one, two = bundle("1.0.0"), bundle("1.1.0")
    found = module(add(one, "stable"), add(two, "canary"))
    assert found.versions == {
        each.version: IndexedVersion(sha256=each.sha256, bytes=len(each.data)) for each in (one, two)
    }
    assert found.channels == {"stable": "1.0.0", "canary": "1.1.0"}


def test_publishing_the_same_bundle_again_changes_nothing_else() -> None:
    assert module(add(bundle("1.0.0"), "stable")) == module(*[add(bundle("1.0.0"), "stable")] * 2)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            add(bundle("1.0.0", b"async def handler(a, b, c, d): pass\n"), "stable"),
            "is published already, with other bytes",
        ),
        (add(bundle("0.9.0"), "stable"), "0.9.0 is lower than 1.0.0"),
        (point("shop.product", "stable", "2.0.0"), "the registry has no shop.product 2.0.0"),
        (point("shop.prodcut", "stable", "1.0.0"), "the registry has no shop.prodcut 1.0.0"),
        (yank("shop.product", "1.0.0"), "channel stable of shop.product points to 1.0.0"),
    ],
)
def test_what_would_harm_workers_is_refused_with_what_to_do(edit: Edit, words: str) -> None:
    with pytest.raises(RegistryRefused, match=words) as caught:
        applied(add(bundle("1.0.0"), "stable"), edit)
    assert caught.value.mend


def test_a_yanked_version_stays_yanked() -> None:
    edits = (add(bundle("1.0.0"), "stable"), add(bundle("1.1.0"), "stable"), yank("shop.product", "1.0.0"))
    assert module(*edits).versions["1.0.0"].yanked
    for edit in (point("shop.product", "stable", "1.0.0"), add(bundle("1.0.0"), "old")):
        with pytest.raises(RegistryRefused, match="was yanked"):
            applied(*edits, edit)


def test_a_channel_may_go_back_on_purpose() -> None:
    assert module(
        add(bundle("1.0.0"), "stable"), add(bundle("1.1.0"), "stable"), point("shop.product", "stable", "1.0.0")
    ).channels == {"stable": "1.0.0"}


@given(st.integers(0, 2**40), st.floats(0.1, 400))
def test_serials_rise_and_the_expiry_is_counted_from_now(serial: int, days: float) -> None:
    before = Index(serial=max(serial, 1), expires=NOW) if serial else None
    after = next_index(before, renew, NOW, days)
    assert after.serial > (before.serial if before else 0)
    assert after.serial >= int(NOW.timestamp())
    assert after.expires.microsecond == 0
    assert abs((after.expires - NOW) - timedelta(days=days)) <= timedelta(seconds=1)
