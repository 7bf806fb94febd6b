"""A revocation that is added to a trust file: in one step, and none is lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pageworker_sandbox.signing import KeyUnusable, SecretKey, TrustFileInvalid
from pageworker_supervisor.registry.trust import read_trust_file
from pageworker_supervisor.registry.trust_edit import revoke

AT = datetime(2026, 11, 28, 7, 0, 5, tzinfo=UTC)
KEY = SecretKey.new().public


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trust.toml"
    path.write_text(f'[[key]]\nkey = "{KEY.line()}"')
    return path


@pytest.mark.parametrize("reason", ["lost", 'a "quoted" \\n [[key]] word', "gestohlen: Ä 🔑"])
def test_the_entry_says_what_was_given(file: Path, reason: str) -> None:
    after = revoke(file, KEY.id, AT, reason)
    assert read_trust_file(file) == after
    ((key_id, revocation),) = after.revoked
    assert (key_id, revocation.at, revocation.reason) == (KEY.id, AT, reason)
    with pytest.raises(KeyUnusable, match="revoked already"):
        revoke(file, KEY.id, AT, reason)


@pytest.mark.parametrize("reason", ["", "a\nb", "x" * 201, "\x1b[2J"])
def test_a_reason_that_is_no_line_is_refused(file: Path, reason: str) -> None:
    before = file.read_text()
    with pytest.raises(KeyUnusable):
        revoke(file, KEY.id, AT, reason)
    assert file.read_text() == before


def test_a_file_with_a_mistake_is_not_changed(file: Path) -> None:
    file.write_text("[[kee]]")
    with pytest.raises(TrustFileInvalid):
        revoke(file, KEY.id, AT, "lost")
    assert file.read_text() == "[[kee]]"


def test_of_commands_at_once_none_is_lost(file: Path) -> None:
    ids = [SecretKey.new().public.id for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key_id: revoke(file, key_id, AT, "lost"), ids))
    assert {key_id for key_id, _ in read_trust_file(file).revoked} == set(ids)
    assert [path.name for path in file.parent.iterdir()] == ["trust.toml"]
