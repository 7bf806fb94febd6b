"""What a secret must hold to be a key, and what is never shown of it."""

import base64

import pytest

from pageworker_profiles.errors import SnapshotKeyMissing
from pageworker_profiles.snapshots.keys import bound_to, key_id, parse_key

KEY = bytes(range(32))


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper() + "\n", base64.b64encode(KEY).decode()])
def test_a_key_is_hexadecimal_or_base64(text: str) -> None:
    assert parse_key(text, "profiles") == (key_id(KEY), KEY)


@pytest.mark.parametrize("text", ["", "geheim", KEY.hex()[:-2], base64.b64encode(KEY[:-1]).decode(), "ä" * 64])
def test_anything_else_is_refused_with_the_way_to_make_one(text: str) -> None:
    with pytest.raises(SnapshotKeyMissing, match="openssl rand -hex 32") as caught:
        parse_key(text, "profiles")
    assert not text or text not in str(caught.value)


def test_no_key_is_shown() -> None:
    found = parse_key(KEY.hex(), "profiles")
    assert KEY.hex() not in repr(found)
    assert repr(KEY) not in repr(found)
    assert len(found.id) == 16


def test_each_snapshot_is_bound_to_its_own_name() -> None:
    names = [("a", "b", "c"), ("a", "bc", ""), ("ab", "", "c"), ("a", "b", "d")]
    assert len({bound_to(*name) for name in names}) == len(names)
