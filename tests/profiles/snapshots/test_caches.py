"""What a snapshot leaves out, and what it must not."""

import pytest

from pageworker_profiles.snapshots.caches import CACHES, is_cache


def test_each_row_is_a_path_below_the_folder_with_a_reason() -> None:
    for path, reason in CACHES.items():
        assert reason
        assert not path.startswith("/")
        assert is_cache(path)


@pytest.mark.parametrize(
    "path",
    [
        "Default",
        "Default/Cookies",
        "Default/Local Storage",
        "Default/IndexedDB",
        "Default/Service Worker",
        "Default/Service Worker/CacheStorage",
        "Default/Login Data",
        "Local State",
        "Last Version",
    ],
)
def test_what_a_site_or_the_browser_needs_stays(path: str) -> None:
    assert not is_cache(path)
