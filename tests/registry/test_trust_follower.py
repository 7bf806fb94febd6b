"""The trust file of a running worker: a change counts, a damaged file changes nothing."""

import asyncio
from pathlib import Path

import pytest

from pageworker_sandbox.signing import SecretKey, TrustFileInvalid, TrustStore
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.registry import trust_follower
from pageworker_supervisor.registry.trust_follower import TrustFollower

PLAIN, KEY, OTHER = (SecretKey.new().public for _ in range(3))


def entry(line: str) -> str:
    return f'[[key]]\nkey = "{line}"\n'


class TrustRecipient:
    """Who is told of a new trust store."""

    def __init__(self) -> None:
        self.stores: list[TrustStore] = []
        self.came = asyncio.Event()

    def use_trust(self, trust: TrustStore) -> None:
        self.stores.append(trust)
        self.came.set()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trust.toml"
    path.write_text(entry(KEY.line()))
    return path


def follower(file: Path | None) -> TrustFollower:
    return TrustFollower(ModuleSettings(trusted_keys=(PLAIN.line(),), trust=file))


async def test_a_change_counts_and_a_damaged_file_does_not(file: Path) -> None:
    following, told = follower(file), TrustRecipient()
    assert set(following.store.keys) == {PLAIN, KEY}
    await following.look(told)
    file.write_text("[[kee]]")
    await following.look(told)
    assert "kee" in following.trouble
    assert (told.stores, set(following.store.keys)) == ([], {PLAIN, KEY})
    with pytest.raises(TrustFileInvalid):
        await following.read()
    file.write_text(entry(OTHER.line()))
    await following.look(told)
    assert (following.trouble, told.stores) == ("", [following.store])
    assert set(following.store.keys) == {PLAIN, OTHER}
    file.unlink()
    await following.look(told)
    assert "No such file" in following.trouble
    assert len(told.stores) == 1


async def test_a_comment_that_changes_changes_nothing(file: Path) -> None:
    following, told = follower(file), TrustRecipient()
    file.write_text("# a comment\n" + entry(KEY.line()))
    await following.look(told)
    assert told.stores == []


async def test_run_looks_by_itself(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_follower, "LOOK_SECONDS", 0.01)
    following, told = follower(file), TrustRecipient()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(following.run(told))
        file.write_text(entry(OTHER.line()))
        await told.came.wait()
        running.cancel()


async def test_without_a_file_nothing_is_read() -> None:
    following = follower(None)
    assert following.store.keys == (PLAIN,)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(following.run(TrustRecipient()), 0)
