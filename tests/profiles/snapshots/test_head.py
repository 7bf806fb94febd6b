"""Every change of a head: fences never go down, good snapshots are never lost, and each change may be repeated."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_profiles.errors import HeadUnreadable
from pageworker_profiles.snapshots.head import (
    FenceTooOld,
    ProfileHead,
    ProfileHolder,
    SnapshotRecord,
    closed,
    dropped,
    head_bytes,
    marked_bad,
    marked_good,
    opened,
    parse_head,
    published,
    snapshot_id,
    taken,
)

HOLDER = ProfileHolder(worker="w1", host="h1", since=1.0)


def record(fence: int, number: int = 0, bad: str = "") -> SnapshotRecord:
    """A snapshot that was published under this fence."""
    return SnapshotRecord(
        id=snapshot_id(fence, number.to_bytes(8, "big")),
        fence=fence,
        bytes=10,
        sha256="0" * 64,
        key_id="k",
        published_at=2.0,
        bad=bad,
    )


def test_a_new_profile_begins_with_the_fence_of_its_first_lease() -> None:
    assert opened(None, 7, HOLDER) == ProfileHead(fence=7, holder=HOLDER)


def test_an_older_lease_changes_nothing() -> None:
    head = ProfileHead(fence=7, holder=HOLDER, snapshots=(record(6),))
    changes: list[Callable[[], ProfileHead]] = [
        lambda: opened(head, 6, HOLDER),
        lambda: closed(head, 6),
        lambda: taken(head, 6),
        lambda: published(head, record(6, 1), 3),
    ]
    for change in changes:
        with pytest.raises(FenceTooOld) as caught:
            change()
        assert (caught.value.fence, caught.value.seen) == (6, 7)


def test_a_command_takes_the_head_and_opens_nothing() -> None:
    head = ProfileHead(fence=7, holder=HOLDER, snapshots=(record(6),))
    assert taken(head, 8) == ProfileHead(fence=8, snapshots=(record(6),))
    assert taken(taken(head, 8), 8) == taken(head, 8)


def test_a_publication_closes_the_profile_and_is_the_newest() -> None:
    head = published(opened(ProfileHead(fence=1, snapshots=(record(1),)), 5, HOLDER), record(5), 3)
    assert (head.fence, head.holder) == (5, None)
    assert [one.fence for one in head.snapshots] == [5, 1]
    assert closed(opened(head, 6, HOLDER), 6).holder is None


def test_a_command_can_begin_a_head() -> None:
    assert taken(None, 7) == ProfileHead(fence=7)


def test_a_publication_may_withdraw_all_older_ones() -> None:
    before = ProfileHead(fence=3, snapshots=(record(3), record(2, bad="cut"), record(1)))
    after = published(before, record(4), 2, "reset")
    assert [(one.fence, one.bad) for one in after.snapshots] == [(4, ""), (3, "reset"), (2, "cut")]
    assert published(after, record(4), 2, "reset") == after


def test_so_many_good_and_so_many_bad_ones_stay() -> None:
    head = ProfileHead(fence=9, snapshots=tuple(record(9 - n, bad="x" if n % 2 else "") for n in range(8)))
    after = published(head, record(9, 1), 2)
    assert [(one.fence, bool(one.bad)) for one in after.snapshots] == [(9, False), (9, False), (8, True), (6, True)]
    assert set(dropped(head, after)) == {one.id for one in head.snapshots[4:]} | {head.snapshots[2].id}


def test_a_bad_snapshot_is_passed_over_until_it_is_restored() -> None:
    head = ProfileHead(fence=3, snapshots=(record(3), record(2), record(1)))
    bad = marked_bad(head, record(3).id, "y" * 1000)
    assert bad.good == (record(2), record(1))
    assert len(bad.snapshots[0].bad) == 300
    assert marked_bad(bad, record(3).id, "z").snapshots[0].bad == bad.snapshots[0].bad, "the first reason stays"
    assert marked_good(bad, record(3).id) == head
    assert marked_good(head, record(1).id).good[0] == record(1), "the restored one counts as the newest"


fences = st.integers(0, 6)
steps = st.one_of(
    st.tuples(st.just("open"), fences),
    st.tuples(st.just("publish"), fences),
    st.tuples(st.just("bad"), fences),
    st.tuples(st.just("good"), fences),
)


@given(st.lists(steps, max_size=25), st.integers(1, 3))
def test_whatever_the_order_the_fence_never_goes_down_and_each_change_may_be_repeated(
    changes: list[tuple[str, int]], keep: int
) -> None:
    head = ProfileHead(fence=0)
    for number, (name, fence) in enumerate(changes):

        def change(now: ProfileHead, name: str = name, fence: int = fence, number: int = number) -> ProfileHead:
            target = now.snapshots[fence % len(now.snapshots)].id if now.snapshots else ""
            match name:
                case "open":
                    return opened(now, fence, HOLDER)
                case "publish":
                    return published(now, record(fence, number), keep)
                case "bad":
                    return marked_bad(now, target, "why")
                case _:
                    return marked_good(now, target)

        try:
            after = change(head)
        except FenceTooOld:
            assert fence < head.fence
            continue
        assert after.fence >= head.fence
        if name in ("open", "publish", "bad"):
            assert change(after) == after or name == "bad"
        if name == "publish":
            assert after.good[0].fence == fence
        assert len(after.good) <= max(keep, len(head.snapshots))
        assert parse_head(head_bytes(after), "here") == after
        head = after


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no profile head"),
        (b"[]", "no profile head"),
        (b'{"schema":1}', "no profile head"),
        (b'{"schema":2,"fence":1}', "schema 2"),
        (msgspec.json.encode({"schema": 1, "fence": "7"}), "no profile head"),
        (
            head_bytes(ProfileHead(fence=1, snapshots=(msgspec.structs.replace(record(1), id="../../x"),))),
            "names a snapshot",
        ),
    ],
)
def test_a_head_that_cannot_be_read_is_refused_by_name(data: bytes, why: str) -> None:
    with pytest.raises(HeadUnreadable, match=why):
        parse_head(data, "acme/p/head.json in s3://bucket")
