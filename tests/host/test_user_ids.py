"""User ids are reserved against other daemons, and refused where they have another owner."""

import os
import pwd
from pathlib import Path

import msgspec
import pytest

from pageworker_supervisor.config.settings import SandboxSettings
from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.uid_ranges import IdRange, UidClaim
from pageworker_supervisor.host.user_ids import HostIds, choose, reserved, seed_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")

AT = 2_100_000_000


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    return tmp_path / "uids"


def test_two_daemons_of_one_host_get_different_users(tmp_path: Path, lock_file: Path) -> None:
    settings = SandboxSettings()
    with reserved(settings, tmp_path, lock_file) as one, reserved(settings, tmp_path, lock_file) as two:
        assert one is not None
        assert two is not None
        assert not one.overlaps(two)
        first = one
    with reserved(settings, tmp_path, lock_file) as again:
        assert again == first, "the same after a restart"


def test_a_range_that_another_daemon_has_is_refused_by_name(tmp_path: Path, lock_file: Path) -> None:
    mine, theirs = SandboxSettings(first_uid=AT, uids=500), SandboxSettings(first_uid=AT + 499, uids=500)
    with reserved(mine, tmp_path, lock_file):
        words = f"{AT + 499}-{AT + 998} overlap {AT}-{AT + 499}, which another"
        with pytest.raises(HostRefused, match=words), reserved(theirs, tmp_path, lock_file):
            raise AssertionError
        with reserved(SandboxSettings(first_uid=AT + 500), tmp_path, lock_file) as beside:
            assert beside == IdRange(AT + 500, 500)


class Crowded(HostIds):
    """A host whose claims are given."""

    def __init__(self, *claims: UidClaim) -> None:
        super().__init__()
        self.claims = list(claims)


def test_a_configured_range_with_another_owner_is_refused_and_the_default_avoids_it(tmp_path: Path) -> None:
    seed = seed_of(tmp_path)
    free = choose(SandboxSettings(), Crowded(), seed, None)
    taken = Crowded(UidClaim(IdRange(free.first, 65_536), "the subordinate ids of cyd in /etc/subuid"))
    with pytest.raises(HostRefused, match=r"of cyd in /etc/subuid; remove sandbox\.first_uid"):
        choose(SandboxSettings(first_uid=free.first + 3), taken, seed, None)
    other = choose(SandboxSettings(), taken, seed, None)
    assert not other.overlaps(taken.claims[0].ids)


@pytest.mark.parametrize("at", [AT, AT + 499], ids=["first", "last"])
def test_an_account_that_only_the_name_service_knows_is_another_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """No host of a test has a directory service: its answer is given."""
    known = pwd.struct_passwd(("ann", "x", at, at, "", "/", "/bin/false"))
    asked = pwd.getpwuid
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: known if uid == at else asked(uid))
    with pytest.raises(HostRefused, match="ann, an account of the name service"):
        choose(SandboxSettings(first_uid=AT), HostIds(), seed_of(tmp_path), None)


def test_a_host_without_any_free_id_is_refused(tmp_path: Path) -> None:
    full = Crowded(UidClaim(IdRange(0, 2**32), "every user"))
    with pytest.raises(HostRefused, match="no 500 user ids are free"):
        choose(SandboxSettings(), full, seed_of(tmp_path), None)


def test_a_lock_that_cannot_be_made_is_no_reason_not_to_run(tmp_path: Path) -> None:
    with reserved(SandboxSettings(), tmp_path, tmp_path / "missing" / "uids") as ids:
        assert ids is not None


def test_the_settings_bound_what_can_be_asked_for() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"first_uid": 999}, SandboxSettings)
