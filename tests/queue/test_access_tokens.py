"""The records of access tokens on a real Redis: what is read back, repeated calls, and edits by hand."""

from pw_queue import QueueHarness

from pageworker_supervisor.queue.access_tokens import AccessTokenRow, CheckedToken

FIRST, SECOND = "0" * 16, "1" * 16


async def test_what_is_stored_is_read_back(harness: QueueHarness) -> None:
    store = harness.queue.access_tokens
    await harness.stop_clock()
    await store.add(FIRST, "acme", ["viewer", "producer"], "ab", "dashboard", 60_000)
    await store.add(SECOND, None, ["operator"], "cd", "", 0)
    seconds, _ = await harness.client.time()
    (row,) = await store.of("acme")
    assert abs(row.created_at - seconds) < 60
    assert row == AccessTokenRow(
        token_id=FIRST,
        tenant_id="acme",
        scopes=("producer", "viewer"),
        label="dashboard",
        state="active",
        created_at=row.created_at,
        expires_at=row.created_at + 60,
        revoked_at=None,
        replaced_by=None,
    )
    assert await store.find(FIRST) == CheckedToken(
        tenant_id="acme",
        scopes=frozenset({"producer", "viewer"}),
        digest="ab",
        expires_at=row.created_at + 60,
        revoked=False,
    )
    assert await store.find(SECOND) == CheckedToken(
        tenant_id=None, scopes=frozenset({"operator"}), digest="cd", expires_at=None, revoked=False
    )
    assert await store.find("2" * 16) is None
    await store.revoke(FIRST, "acme")
    found = await store.find(FIRST)
    assert found is not None
    assert found.revoked


async def test_a_repeated_call_changes_nothing(harness: QueueHarness) -> None:
    """A call whose reply was lost is sent again."""
    store = harness.queue.access_tokens
    for _ in range(2):
        assert await store.add(FIRST, "acme", ["viewer"], "ab", "", 0) == "stored"
    for _ in range(2):
        assert await store.rotate(SECOND, "cd", "acme", FIRST, 1000) == "stored"
    for _ in range(2):
        assert await store.revoke(FIRST, "acme")
    assert [row.token_id for row in await store.of("acme")] == [FIRST, SECOND]


async def test_a_record_that_was_edited_by_hand_is_none(harness: QueueHarness) -> None:
    store = harness.queue.access_tokens
    await store.add(FIRST, "acme", ["viewer"], "ab", "", 0)
    assert await store.find(FIRST) is not None
    for name, text in (("expires_at", "soon"), ("scopes", b"\xff")):
        before = await harness.client.hget(f"pw:{{0}}:access_token:{FIRST}", name)
        await harness.client.hset(f"pw:{{0}}:access_token:{FIRST}", name, text)
        assert await store.find(FIRST) is None
        assert [row.label for row in await store.of("acme")] == ([] if name == "expires_at" else [""])
        await harness.client.hset(f"pw:{{0}}:access_token:{FIRST}", name, before or "")
