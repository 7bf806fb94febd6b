"""User ids for runners: no two live runners share one."""

from contextlib import ExitStack

import pytest

from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.uid_pool import UidPool

IDS = IdRange(1000, 10)


def test_live_runners_never_share_a_user_id_with_anything_else() -> None:
    pool = UidPool(IDS)
    with ExitStack() as stack:
        lent = []
        with pytest.raises(SpawnFailed, match=r"raise `sandbox\.uids`"):
            while True:
                lent.append(stack.enter_context(pool.lent()))
        others = {pool.gateway.gateway, pool.gateway.dialer, pool.redis}
        assert len(set(lent)) == len(lent) == IDS.count - len(others)
        assert not set(lent) & others
        assert all(IDS.first <= uid <= IDS.last for uid in lent if uid is not None)


def test_a_user_id_is_reused_as_late_as_possible() -> None:
    pool = UidPool(IDS)
    with pool.lent() as first:
        pass
    others = []
    for _ in range(IDS.count - 4):
        with pool.lent() as uid:
            others.append(uid)
    assert first not in others
    with pool.lent() as again:
        assert again == first


def test_a_user_id_comes_back_after_an_error() -> None:
    pool = UidPool(IDS)
    for _ in range(3 * IDS.count):
        with pytest.raises(LookupError), pool.lent():
            raise LookupError


def test_without_root_every_runner_is_the_daemons_own_user() -> None:
    pool = UidPool(None)
    with pool.lent() as one, pool.lent() as other:
        assert (one, other, pool.redis) == (None, None, None)
