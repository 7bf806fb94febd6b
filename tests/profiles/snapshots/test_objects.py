"""What is told of an object in a store."""

from pageworker_profiles.snapshots.objects import ObjectDigest, ObjectInfo, StoredObject


def test_the_answers_of_a_store_are_compared_by_value() -> None:
    assert ObjectDigest(1, "a") == (1, "a")
    assert ObjectInfo("n", 1, 2.0).changed_at == 2.0
    assert StoredObject(b"x", "v") != StoredObject(b"x", "w")
