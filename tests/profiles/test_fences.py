"""Fences only rise, across stores and after damage."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_profiles import ProfileStore, StaleFence, StoreDamaged, fences


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path / "profiles")


def test_an_older_fence_is_refused_also_by_another_store(store: ProfileStore) -> None:
    store.open("acme", "shop", 7, None).close()
    for again in (store, ProfileStore(store.root)):
        with pytest.raises(StaleFence) as stale:
            again.open("acme", "shop", 6, None)
        assert (stale.value.fence, stale.value.seen) == (6, 7)
        assert not stale.value.retryable
    store.open("acme", "shop", 7, None).close()
    store.open("acme", "shop", None, None).close()


@given(st.lists(st.integers(0, 6), max_size=12))
def test_fences_only_rise(tmp_path_factory: pytest.TempPathFactory, fences: list[int]) -> None:
    store = ProfileStore(tmp_path_factory.mktemp("p"))
    seen = -1
    for fence in fences:
        if fence < seen:
            with pytest.raises(StaleFence):
                store.open("acme", "shop", fence, None)
        else:
            store.open("acme", "shop", fence, None).close()
            seen = fence


def test_a_damaged_fence_is_not_taken_for_none(store: ProfileStore) -> None:
    store.open("acme", "shop", 7, None).close()
    (store.root / "acme/shop/fence").write_text("")
    with pytest.raises(StoreDamaged, match="fence"):
        store.open("acme", "shop", 8, None)
    store.open("acme", "shop", None, None).close()


def test_a_folder_without_a_fence_has_seen_none(tmp_path: Path) -> None:
    assert fences.read(tmp_path) == -1
    fences.advance(tmp_path, 0)
    assert fences.read(tmp_path) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["fence"], "no half-written file is left"


@pytest.mark.parametrize("content", ["", "seven", "7.5", "\xff"])
def test_a_fence_that_is_no_number_says_what_to_write(tmp_path: Path, content: str) -> None:
    (tmp_path / "fence").write_text(content)
    with pytest.raises(StoreDamaged, match="write the last known fence"):
        fences.read(tmp_path)
