"""The name of a folder of profiles: written once, by the first process that asks."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pageworker_profiles.errors import StoreDamaged
from pageworker_profiles.homes import parse_store_id, store_id


def test_all_openers_of_a_folder_read_one_name(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(store_id, [tmp_path] * 50))
    assert len(found) == 1
    assert [file.name for file in tmp_path.iterdir()] == [".store-id"]
    assert parse_store_id((tmp_path / ".store-id").read_bytes(), "x") == found.pop()


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"../" * 12, b"\xff" * 32])
def test_another_text_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / ".store-id").write_bytes(data)
    with pytest.raises(StoreDamaged, match="32 hexadecimal digits"):
        store_id(tmp_path)
