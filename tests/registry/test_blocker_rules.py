"""Blocker rules of one's own: a newer signed file counts, everything else leaves those of before in effect."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pw_modules.author import Author

from pageworker_sandbox.blockers.rules import released_rules
from pageworker_sandbox.signing import Revocation, TrustStore
from pageworker_sandbox.signing.blocker_rules import sign_rules
from pageworker_supervisor.registry.blocker_rules import ACCEPTED, BlockerRulesFollower
from pageworker_supervisor.registry.store import Store

AUTHOR, OTHER = Author(), Author()
START = datetime(2030, 1, 1, tzinfo=UTC)
RULE = {"kind": "captcha", "signs": [{"sign": "title", "any_of": ["halt"], "weight": 1.0}]}


class Rules:
    """A folder with a file of rules, and a worker that follows it."""

    def __init__(self, root: Path) -> None:
        self.path, self.state = root / "published" / "rules.json", root / "state"
        self.path.parent.mkdir()
        self.trust = AUTHOR.trust
        self.now = START
        self.store = Store(self.path.parent)
        self.follower = self.restarted()

    def restarted(self) -> BlockerRulesFollower:
        self.follower = BlockerRulesFollower(str(self.path), self.state, lambda: self.trust, lambda: self.now)
        return self.follower

    def publish(self, serial: int, author: Author = AUTHOR, days: float = 1, version: str = "ours") -> bytes:
        expires = (START + timedelta(days=days)).isoformat()
        data = json.dumps({"version": version, "serial": serial, "expires": expires, "rules": [RULE]}).encode()
        self.path.write_bytes(data)
        self.path.with_name("rules.json.minisig").write_bytes(sign_rules(data, author.key))
        return data

    async def look(self) -> bool:
        return await self.follower.look(self.store)


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return Rules(tmp_path)


async def test_newer_rules_count_without_a_restart(rules: Rules) -> None:
    assert rules.follower.file == released_rules()
    assert not await rules.look()
    assert "rules.json" in rules.follower.report().trouble
    first = rules.publish(1)
    assert await rules.look()
    assert rules.follower.file == first
    assert not await rules.look()
    second = rules.publish(2, version="later")
    assert await rules.look()
    assert rules.follower.file == second
    report = rules.follower.report()
    assert (report.version, report.serial, report.trouble) == ("later", 2, "")


async def test_what_is_refused_leaves_the_rules_of_before(rules: Rules) -> None:
    accepted = rules.publish(5)
    await rules.look()

    async def refused(told: str) -> None:
        assert not await rules.look()
        assert rules.follower.file == accepted
        assert told in rules.follower.report().trouble

    rules.publish(4)
    await refused("4 are older than 5")
    rules.publish(5, version="swapped")
    await refused("other blocker rules 5")
    rules.publish(6, OTHER)
    await refused("not trusted")
    rules.publish(6, days=-1)
    await refused("expired")
    rules.path.write_bytes(rules.publish(6) + b" ")
    await refused("not valid for these bytes")
    rules.path.with_name("rules.json.minisig").unlink()
    await refused("not signed")
    rules.path.unlink()
    await refused("rules.json")
    rules.publish(6)
    assert await rules.look()
    assert rules.follower.report().serial == 6


async def test_rules_that_expire_stay_and_say_so(rules: Rules) -> None:
    accepted = rules.publish(1)
    await rules.look()
    rules.now = START + timedelta(days=2)
    assert not await rules.look()
    assert rules.follower.file == accepted
    assert "expired" in rules.follower.report().trouble
    assert rules.restarted().file == accepted


async def test_a_restart_goes_on_with_them_and_with_their_serial(rules: Rules) -> None:
    accepted = rules.publish(7)
    await rules.look()
    rules.publish(3)
    assert rules.restarted().file == accepted
    assert not await rules.look()
    assert "3 are older than 7" in rules.follower.report().trouble


async def test_rules_of_a_revoked_key_are_dropped(rules: Rules) -> None:
    rules.publish(7)
    await rules.look()
    rules.trust = TrustStore([AUTHOR.key.public, OTHER.key.public], {AUTHOR.key.public.id: Revocation(START, "lost")})
    assert await rules.look()
    assert rules.follower.file == released_rules()
    assert "revoked" in rules.follower.report().trouble
    assert rules.restarted().file == released_rules()
    # Its serial still counts: an old file by another key is no way back.
    rules.publish(6, OTHER)
    assert not await rules.look()
    rules.publish(8, OTHER)
    assert await rules.look()


async def test_a_damaged_file_of_its_own_is_no_obstacle(rules: Rules) -> None:
    rules.publish(7)
    await rules.look()
    for stored in rules.state.rglob(ACCEPTED):
        stored.write_bytes(b"damaged")
    assert rules.restarted().file == released_rules()
    assert await rules.look()
