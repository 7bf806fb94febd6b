"""Which user a worker that is started as root becomes."""

from pathlib import Path

import pytest

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.host.worker_user import Account, WorkerUser, account_name, as_far_as_it_reaches, worker_user

IDS = IdRange(2_100_000_000, 500)
ACCOUNT = Account("pageworker", 987, 986, (4,))
CLOSED = tuple(Path(f"/root/{name}") for name in "abcd")


def test_the_setting_comes_first_then_the_account_then_an_id_of_the_range() -> None:
    assert [account_name(wanted) for wanted in ("ann", None)] == ["ann", "pageworker"]
    assert worker_user("ann", ACCOUNT, IDS) == WorkerUser(987, 986, IDS, "setting", (4,))
    assert worker_user(None, ACCOUNT, IDS) == WorkerUser(987, 986, IDS, "account", (4,))
    first, rest = IDS.first, IdRange(IDS.first + 1, 499)
    assert worker_user(None, None, IDS) == WorkerUser(first, first, rest, "range")


def test_an_account_that_does_not_exist_is_refused() -> None:
    with pytest.raises(HostRefused, match=r"worker\.user is ann, and this host has no such account; useradd -r ann"):
        worker_user("ann", None, IDS)


def test_root_may_be_wanted() -> None:
    assert worker_user("root", Account("root", 0, 0, (1, 2)), IDS) == WorkerUser(0, 0, IDS, "setting")


@pytest.mark.parametrize("account", [ACCOUNT, None], ids=["account", "range"])
def test_a_user_that_cannot_read_the_program_is_not_taken_by_default(account: Account | None) -> None:
    user = worker_user(None, account, IDS)
    assert as_far_as_it_reaches(user, ()) == (user, "")
    kept, why = as_far_as_it_reaches(user, CLOSED)
    assert (kept.uid, kept.gid, kept.groups, kept.ids) == (0, 0, (), user.ids)
    assert why == f"user {user.uid} cannot read /root/a, /root/b, /root/c, …"


def test_a_user_of_the_setting_that_cannot_read_the_program_is_refused() -> None:
    with pytest.raises(HostRefused, match=r"user 987 of worker\.user cannot read /root/a; give it access"):
        as_far_as_it_reaches(worker_user("ann", ACCOUNT, IDS), CLOSED[:1])
