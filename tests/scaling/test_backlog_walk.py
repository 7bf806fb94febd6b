"""A walk over many backlogs, a part at a time."""

from scaling.test_fleet_state import demand

from pageworker_supervisor.queue.demand import ShardDemand
from pageworker_supervisor.scaling.backlog_walk import BacklogWalk


def part(position: str, runnable: int, jobs: int = 0) -> ShardDemand:
    return demand(position=position, runnable=runnable, looked=2, backlogs=6, jobs=jobs, oldest_ms=runnable)


def test_a_part_is_a_share_until_a_round_is_complete() -> None:
    walk = BacklogWalk()
    walk.add(part("b", 10))
    found, share = walk.total()
    assert (found.runnable, share, walk.position) == (10, 2 / 6, "b")
    walk.add(part("d", 20))
    found, share = walk.total()
    assert (found.runnable, found.looked, share) == (30, 4, 4 / 6)
    walk.add(part("", 30, jobs=7))
    found, share = walk.total()
    assert (found.runnable, share, walk.position) == (60, 1, "")
    assert (found.jobs, found.oldest_ms) == (7, 30)


def test_later_rounds_replace_part_after_part() -> None:
    walk = BacklogWalk()
    for each in (part("b", 10), part("d", 20), part("", 30)):
        walk.add(each)
    walk.add(part("b", 1, jobs=5))
    found, share = walk.total()
    assert (found.runnable, share, found.jobs) == (1 + 20 + 30, 1, 5)
    walk.add(part("d", 2))
    assert walk.total()[0].runnable == 1 + 2 + 30
    walk.add(part("", 3))
    assert walk.total()[0].runnable == 6


def test_parts_whose_borders_moved_are_not_kept() -> None:
    walk = BacklogWalk()
    for each in (part("b", 10), part("d", 20), part("", 30)):
        walk.add(each)
    walk.add(part("", 4))
    assert walk.total()[0].runnable == 4, "there are fewer backlogs now"


def test_few_backlogs_are_one_part() -> None:
    walk = BacklogWalk()
    for runnable in (3, 5):
        walk.add(part("", runnable))
        assert walk.total()[0].runnable == runnable
        assert walk.total()[1] == 1
