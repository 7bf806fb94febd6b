"""Making, rotating and revoking tokens, on a real Redis."""

import asyncio

import pytest
from pw_queue import QueueHarness

from pageworker_supervisor.access.errors import AccessTokenRefused
from pageworker_supervisor.access.token_admin import TokenAdmin


@pytest.fixture
def admin(harness: QueueHarness) -> TokenAdmin:
    return TokenAdmin(harness.queue.access_tokens)


async def test_a_list_shows_each_token_of_the_tenant_with_its_state(harness: QueueHarness, admin: TokenAdmin) -> None:
    kept = await admin.create("acme", ["viewer"], label="dashboard")
    await harness.later(1)
    short = await admin.create("acme", ["viewer", "producer"], lifetime_seconds=10)
    await harness.later(1)
    gone = await admin.create("acme", ["viewer"])
    await admin.revoke("acme", gone.token_id)
    await admin.create("rival", ["viewer"])
    new = await admin.rotate("acme", kept.token_id, overlap_seconds=3600)
    await harness.later(10_000)
    rows = {row.token_id: row for row in await admin.list("acme")}
    states = {token_id: row.state for token_id, row in rows.items()}
    assert states == {
        kept.token_id: "replaced",
        short.token_id: "expired",
        gone.token_id: "revoked",
        new.token_id: "active",
    }
    assert list(rows)[:2] == [kept.token_id, short.token_id], "the oldest first"
    assert (rows[new.token_id].label, rows[new.token_id].scopes) == ("dashboard", ("viewer",))
    assert rows[kept.token_id].replaced_by == new.token_id
    assert [row.tenant_id for row in await admin.list("rival")] == ["rival"]
    assert await admin.list(None) == []


async def test_tokens_of_the_fleet_are_apart(admin: TokenAdmin) -> None:
    token = await admin.create(None, ["viewer"])
    assert [row.token_id for row in await admin.list(None)] == [token.token_id]
    with pytest.raises(AccessTokenRefused, match="tenant acme has no valid token"):
        await admin.revoke("acme", token.token_id)
    await admin.revoke(None, token.token_id)


async def test_a_token_of_another_tenant_is_neither_revoked_nor_rotated(admin: TokenAdmin) -> None:
    token = await admin.create("acme", ["viewer"])
    for act in (
        admin.revoke("rival", token.token_id),
        admin.rotate("rival", token.token_id, 0),
        admin.rotate(None, token.token_id, 0),
        admin.revoke("acme", "*"),
    ):
        with pytest.raises(AccessTokenRefused, match="has no valid token"):
            await act
    assert [row.state for row in await admin.list("acme")] == ["active"]


async def test_a_rotation_without_an_id_takes_the_one_active_token(admin: TokenAdmin) -> None:
    with pytest.raises(AccessTokenRefused, match="no active token"):
        await admin.rotate("acme", None, 0)
    first = await admin.create("acme", ["viewer"])
    second = await admin.rotate("acme", None, 60)
    third = await admin.rotate("acme", None, 60)
    rows = {row.token_id: row.replaced_by for row in await admin.list("acme")}
    assert rows == {first.token_id: second.token_id, second.token_id: third.token_id, third.token_id: None}
    await admin.create("acme", ["viewer"])
    with pytest.raises(AccessTokenRefused, match="2 active tokens"):
        await admin.rotate("acme", None, 0)


async def test_a_token_is_replaced_once(admin: TokenAdmin) -> None:
    token = await admin.create("acme", ["viewer"])
    outcomes = await asyncio.gather(
        *(admin.rotate("acme", token.token_id, 60) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(outcome, AccessTokenRefused) for outcome in outcomes) == 4
    assert len(await admin.list("acme")) == 2


async def test_a_rotation_gives_the_same_lifetime_and_never_extends_the_old_token(
    harness: QueueHarness, admin: TokenAdmin
) -> None:
    token = await admin.create("acme", ["viewer"], lifetime_seconds=100)
    (before,) = await admin.list("acme")
    await harness.later(60_000)
    new = await admin.rotate("acme", token.token_id, overlap_seconds=3600)
    rows = {row.token_id: row for row in await admin.list("acme")}
    assert rows[token.token_id].expires_at == before.expires_at
    first, second = rows[token.token_id], rows[new.token_id]
    assert second.expires_at is not None
    assert second.expires_at - second.created_at == pytest.approx(100)
    assert second.created_at - first.created_at == pytest.approx(60, abs=1)


async def test_a_dead_token_cannot_be_rotated(harness: QueueHarness, admin: TokenAdmin) -> None:
    expired = await admin.create("acme", ["viewer"], lifetime_seconds=1)
    revoked = await admin.create("acme", ["viewer"])
    await admin.revoke("acme", revoked.token_id)
    await harness.later(2000)
    for token in (expired, revoked):
        with pytest.raises(AccessTokenRefused, match="has no valid token"):
            await admin.rotate("acme", token.token_id, 60)


async def test_a_tenant_has_at_most_fifty_live_tokens_and_dead_ones_make_place(
    harness: QueueHarness, admin: TokenAdmin
) -> None:
    tokens = [await admin.create("acme", ["viewer"]) for _ in range(50)]
    with pytest.raises(AccessTokenRefused, match="as many tokens as it may have"):
        await admin.create("acme", ["viewer"])
    with pytest.raises(AccessTokenRefused, match="as many tokens as it may have"):
        await admin.rotate("acme", tokens[0].token_id, 60)
    await admin.create("rival", ["viewer"])
    for _ in range(3):
        await admin.revoke("acme", (await admin.list("acme"))[-1].token_id)
        await admin.create("acme", ["viewer"])
    assert len(await harness.client.keys("pw:{0}:access_token:*")) == 51
    assert len(await admin.list("acme")) == 50


async def test_dead_records_are_removed_by_redis(harness: QueueHarness, admin: TokenAdmin) -> None:
    week = 7 * 24 * 3600
    endless = await admin.create("acme", ["viewer"])
    expiring = await admin.create("acme", ["viewer"], lifetime_seconds=1000)
    key = "pw:{0}:access_token:"
    assert await harness.client.ttl(key + endless.token_id) == -1
    assert week < await harness.client.ttl(key + expiring.token_id) <= week + 1000
    await admin.revoke("acme", endless.token_id)
    assert 0 < await harness.client.ttl(key + endless.token_id) <= week


@pytest.mark.parametrize(
    ("lifetime", "label", "message"),
    [
        (0.0, "", "the lifetime is 0"),
        (-1.0, "", "the lifetime is out of range"),
        (float("nan"), "", "the lifetime is out of range"),
        (1e18, "", "the lifetime is out of range"),
        (None, "x" * 101, "the label is not valid"),
        (None, "two\nlines", "the label is not valid"),
    ],
)
async def test_what_cannot_be_stored_is_refused(
    admin: TokenAdmin, lifetime: float | None, label: str, message: str
) -> None:
    with pytest.raises(AccessTokenRefused, match=message):
        await admin.create("acme", ["viewer"], lifetime, label)
    assert await admin.list("acme") == []
