"""Since when the oldest profile waits for its snapshot."""

from pageworker_profiles.snapshots.unpublished import UnpublishedProfiles


def test_the_oldest_counts_until_it_is_published() -> None:
    told: list[float | None] = []
    clock = iter((10.0, 20.0, 30.0, 40.0))
    profiles = UnpublishedProfiles(told.append, lambda: next(clock))
    profiles.add("acme", "one")
    profiles.add("acme", "two")
    profiles.add("acme", "one")  # a second attempt does not make it younger
    profiles.drop("acme", "one")
    profiles.drop("acme", "one")
    profiles.drop("acme", "two")
    assert told == [10.0, 10.0, 10.0, 20.0, None]
