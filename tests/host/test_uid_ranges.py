"""Which ids a host leaves free, from texts alone."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.host.uid_ranges import (
    AREAS,
    SUBORDINATE,
    IdRange,
    account_claims,
    candidates,
    conflict,
    is_mapped,
    mapped_ids,
    own_ranges,
    subordinate_claims,
)

PEOPLE, DYNAMIC, CONTAINERS = IdRange(0, 60_578), IdRange(61_184, 4352), IdRange(524_288, 1_878_523_904)
FOREIGN, DIRECTORY = IdRange(2_147_352_576, 65_536), IdRange(200_000, 2_000_000_001)

RANGES = st.builds(IdRange, st.integers(0, 5000), st.integers(1, 500))


def test_the_third_users_default_range_is_seen() -> None:
    """useradd gives the first three users 65536 ids each from 100000 on: 261000, a usual choice, is the third's."""
    text = "ann:100000:65536\nbob:165536:65536\ncyd:231072:65536\n"
    claim = conflict(IdRange(261_000, 1000), subordinate_claims(text, "/etc/subuid"))
    assert claim is not None
    assert claim.owner == "the subordinate ids of cyd in /etc/subuid"
    assert claim.ids == IdRange(231_072, 65_536)


@pytest.mark.parametrize("area", AREAS)
def test_no_area_has_another_owner(area: IdRange) -> None:
    for theirs in (PEOPLE, DYNAMIC, CONTAINERS, FOREIGN, IdRange(65_534, 2)):
        assert not area.overlaps(theirs), theirs
    assert not area.overlaps(SUBORDINATE) or area.last < 100_000
    assert area == AREAS[1] or not area.overlaps(DIRECTORY)
    assert area.last < 2**31, "some code takes ids for signed numbers"


@given(RANGES, RANGES)
def test_overlap_means_a_common_id(one: IdRange, two: IdRange) -> None:
    common = set(range(one.first, one.last + 1)) & set(range(two.first, two.last + 1))
    assert one.overlaps(two) == two.overlaps(one) == bool(common)
    assert one.contains(two) == (len(common) == two.count)


@given(st.text(max_size=200))
def test_whatever_stands_in_the_files_is_no_error(text: str) -> None:
    subordinate_claims(text, "f")
    account_claims(text, "f")


def test_lines_that_are_none_are_left_out_and_a_range_of_ours_is_no_obstacle() -> None:
    text = "# a:1:2\n\nx\na:b:c\na:1\na:1:2:3\npageworker:310000:1000\n1000:400000:10\n"
    assert [claim.ids for claim in subordinate_claims(text, "f")] == [IdRange(400_000, 10)]
    assert own_ranges(text) == [IdRange(310_000, 1000)]


def test_accounts_are_seen() -> None:
    (claim,) = account_claims("svc:x:70000:70000::/:/bin/false\n+::::::\n", "/etc/passwd")
    assert conflict(IdRange(69_999, 2), [claim]) is claim
    assert account_claims("wheel:x:10:ann,bob\n", "/etc/group")[0].ids == IdRange(10, 1)


def test_ids_that_do_not_exist_in_our_namespace_are_none() -> None:
    whole, container = mapped_ids("         0          0 4294967295\n"), mapped_ids("0 1000 1\n1 100000 65536\n")
    assert is_mapped(IdRange(2_013_265_920, 500), whole, whole)
    assert not is_mapped(IdRange(2_013_265_920, 500), whole, container)
    assert is_mapped(IdRange(60_578, 500), container, whole)
    assert not is_mapped(IdRange(0, 2), container)


@given(st.text(max_size=40), st.integers(2, 600))
def test_candidates_stay_in_their_areas_and_do_not_overlap(seed: str, count: int) -> None:
    some = list(itertools.islice(candidates(seed, count), 50))
    assert all(any(area.contains(ids) for area in AREAS) for ids in some)
    assert not any(one.overlaps(two) for one, two in itertools.combinations(some, 2))
    assert some == list(itertools.islice(candidates(seed, count), 50)), "the same after a restart"


def test_every_area_is_tried() -> None:
    seen = list(candidates("w", 500))
    assert all(any(area.contains(ids) for ids in seen) for area in AREAS)


def test_workers_that_see_no_lock_differ() -> None:
    first = {next(candidates(f"host:/var/lib/pageworker:{device}:2", 500)) for device in range(200)}
    assert len(first) >= 199
