"""What a token permits, from the records of a real Redis, and how long what was read counts."""

import pytest
from pw_queue import QueueHarness

from pageworker_supervisor.access.session_text import make_session
from pageworker_supervisor.access.token_admin import TokenAdmin
from pageworker_supervisor.access.token_reader import CACHE_SECONDS, MOST_CACHED, TokenReader
from pageworker_supervisor.access.token_text import make_token
from pageworker_supervisor.queue.access_tokens import AccessTokens, CheckedToken

PRODUCER = frozenset({"viewer", "producer"})


class HandClock:
    """Seconds that pass by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def admin(harness: QueueHarness) -> TokenAdmin:
    return TokenAdmin(harness.queue.access_tokens)


async def test_a_token_grants_its_tenant_and_scopes(harness: QueueHarness, admin: TokenAdmin) -> None:
    reader = TokenReader(harness.queue.access_tokens)
    acme = await admin.create("acme", ["viewer", "producer"])
    fleet = await admin.create(None, ["viewer"], lifetime_seconds=60)
    found = await reader.grant(acme.text)
    assert found is not None
    assert (found.tenant_id, found.scopes, found.token_id) == ("acme", PRODUCER, acme.token_id)
    assert found.expires_at is None
    found = await reader.grant(fleet.text)
    assert found is not None
    assert (found.tenant_id, found.scopes) == (None, frozenset({"viewer"}))
    seconds, microseconds = await harness.client.time()
    assert found.expires_at == pytest.approx(seconds + microseconds / 1e6 + 60, abs=10)


async def test_redis_does_not_hold_the_token(harness: QueueHarness, admin: TokenAdmin) -> None:
    token = await admin.create("acme", ["viewer"])
    secret = token.text.rpartition("_")[2].encode()
    for key in await harness.client.keys("*"):
        assert secret not in await harness.client.dump(key)


async def test_the_id_alone_grants_nothing(harness: QueueHarness, admin: TokenAdmin) -> None:
    reader = TokenReader(harness.queue.access_tokens)
    token = await admin.create("acme", ["viewer"])
    start, _, secret = token.text.rpartition("_")
    other = (await admin.create("rival", ["viewer"])).text.rpartition("_")[2]
    wrong = [f"{start}_{'0' * 64}", f"{start}_{other}", f"{start}_{secret[::-1]}", start, secret, make_token()[0]]
    for untrusted in [*wrong, "", "pw__", "Bearer " + token.text]:
        assert await reader.grant(untrusted) is None
    assert await reader.grant(token.text) is not None


async def test_an_expired_token_grants_nothing_even_if_its_record_is_cached(
    harness: QueueHarness, admin: TokenAdmin
) -> None:
    seconds, _ = await harness.client.time()
    clock = HandClock(seconds)
    reader = TokenReader(harness.queue.access_tokens, cache_seconds=1000, clock=clock)
    token = await admin.create("acme", ["viewer"], lifetime_seconds=60)
    assert await reader.grant(token.text) is not None
    clock.now += 50
    assert await reader.grant(token.text) is not None
    clock.now += 20
    assert await reader.grant(token.text) is None


async def test_a_revocation_counts_after_the_cache_time(harness: QueueHarness, admin: TokenAdmin) -> None:
    monotonic = HandClock(0)
    reader = TokenReader(harness.queue.access_tokens, monotonic=monotonic)
    token = await admin.create("acme", ["viewer"])
    assert await reader.grant(token.text) is not None
    await admin.revoke("acme", token.token_id)
    monotonic.now += CACHE_SECONDS
    assert await reader.grant(token.text) is None
    assert await TokenReader(harness.queue.access_tokens).grant(token.text) is None


async def test_a_rotated_token_is_valid_through_the_overlap(harness: QueueHarness, admin: TokenAdmin) -> None:
    seconds, _ = await harness.client.time()
    clock = HandClock(seconds)
    reader = TokenReader(harness.queue.access_tokens, cache_seconds=0, clock=clock)
    old = await admin.create("acme", ["viewer"])
    new = await admin.rotate("acme", old.token_id, overlap_seconds=60)
    before = await reader.grant(new.text)
    assert before is not None
    assert (before.tenant_id, before.scopes, before.expires_at) == ("acme", frozenset({"viewer"}), None)
    assert await reader.grant(old.text) is not None
    clock.now += 62
    assert await reader.grant(old.text) is None
    assert await reader.grant(new.text) is not None


class CountedTokens(AccessTokens):
    """Records without Redis, and how often they were read: each id that is not known counts."""

    def __init__(self, known: dict[str, CheckedToken]) -> None:
        self.known = known
        self.reads: list[str] = []

    async def find(self, token_id: str) -> CheckedToken | None:
        self.reads.append(token_id)
        return self.known.get(token_id)


async def test_a_flood_of_unknown_ids_does_not_displace_a_real_token() -> None:
    text, made = make_token()
    real = CheckedToken(
        tenant_id="acme", scopes=frozenset({"viewer"}), digest=made.digest, expires_at=None, revoked=False
    )
    tokens = CountedTokens({made.token_id: real})
    reader = TokenReader(tokens, monotonic=HandClock(0))
    assert await reader.grant(text) is not None
    for number in range(MOST_CACHED + 10):
        assert await reader.grant(f"pw_{number:016x}_{'0' * 64}") is None
    assert await reader.grant(text) is not None
    assert tokens.reads.count(made.token_id) == 1
    await reader.grant(f"pw_{MOST_CACHED:016x}_{'0' * 64}")
    assert len(tokens.reads) == MOST_CACHED + 11, "an id that is not known is not read again at once"


async def test_a_session_ends_with_its_token_or_before(harness: QueueHarness, admin: TokenAdmin) -> None:
    seconds, _ = await harness.client.time()
    clock = HandClock(seconds)
    reader = TokenReader(harness.queue.access_tokens, cache_seconds=0, clock=clock)
    acme, short = await admin.create("acme", ["viewer"]), await admin.create(None, ["viewer"], lifetime_seconds=60)
    begun = await reader.begin_session(acme.text, 1000)
    assert begun is not None
    grant, session = begun
    assert (grant.tenant_id, session.startswith(f"pws_{acme.token_id}_")) == ("acme", True)
    assert await reader.session(session) == grant
    assert await reader.grant(session) is None, "the API takes no session"
    assert await reader.session(acme.text) is None
    for forged in (
        make_session(acme.token_id, "0" * 64, seconds + 1000),
        make_session(acme.token_id, "", seconds + 1000),
    ):
        assert await reader.session(forged) is None
    assert await reader.begin_session(session, 1000) is None
    of_short = await reader.begin_session(short.text, 1000)
    assert of_short is not None
    clock.now += 61
    assert await reader.session(of_short[1]) is None
    assert await reader.session(session) is not None
    await admin.revoke("acme", acme.token_id)
    assert await reader.session(session) is None
    other = await admin.create("acme", ["viewer"])
    begun = await reader.begin_session(other.text, 1000)
    assert begun is not None
    clock.now += 1001
    assert await reader.session(begun[1]) is None


async def test_a_session_under_an_id_that_does_not_exist_is_none(harness: QueueHarness) -> None:
    reader = TokenReader(harness.queue.access_tokens)
    for digest in ("0" * 64, ""):
        assert await reader.session(make_session("0" * 16, digest, 2_000_000_000)) is None
