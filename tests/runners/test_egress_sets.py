"""Egress sets by their digests."""

import pytest

from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest
from pageworker_supervisor.runners.egress_sets import DigestCollision, EgressSets


def test_a_set_is_found_by_its_name() -> None:
    sets = EgressSets()
    name = sets.name(["b.test", "A.test."])
    assert sets.hosts(name) == ("a.test", "b.test")
    assert sets.name(("a.test", "b.test")) == name


def test_what_was_never_named_has_no_hosts() -> None:
    sets = EgressSets()
    assert sets.hosts(egress_digest(["a.test"])) == ()
    assert sets.hosts("") == ()
    assert sets.hosts(sets.name([])) == ()
    assert sets.name([]) == NO_EGRESS


def test_two_sets_never_share_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module's author may look for hosts whose digest is that of another module's."""
    monkeypatch.setattr("pageworker_supervisor.runners.egress_sets.egress_digest", lambda hosts: "0" * 12)
    sets = EgressSets()
    assert sets.name(["bank.test"]) == "0" * 12
    with pytest.raises(DigestCollision, match=r"evil\.test"):
        sets.name(["evil.test"])
    assert sets.hosts("0" * 12) == ("bank.test",)
