"""What the Redis user and the token of one tenant can do to another: nothing. Each try has a control that succeeds.

The rules are those that `workerctl tenant acl` prints. `rival` tries, `acme` is what it tries to reach.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
from pw_intake import Counter, of_tenants, open_counter
from pw_servers import RedisServer, redis_server

from pageworker_supervisor.access.errors import AccessTokenRefused
from pageworker_supervisor.access.grant import SCOPES
from pageworker_supervisor.access.redis_rules import redis_rules
from pageworker_supervisor.access.token_admin import TokenAdmin
from pageworker_supervisor.access.token_reader import TokenReader
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.functions import packed

JOB = '{"job_id":"1","tenant_id":"acme","endpoint_module":"echo"}'

# The rival with the name of acme, and as control acme itself, with the same words.
OF_THE_OTHER = (
    "RPUSH pw:inbox:acme x",
    "LPUSH pw:inbox:acme x",
    "XADD pw:jobs:acme * job x",
    "XADD pw:jobs:acme MAXLEN 1 * job x",
    "GET pw:result:acme:1",
    "SUBSCRIBE pw:results:acme",
    "SUBSCRIBE pw:events:acme",
    "PSUBSCRIBE pw:results:acme",
    "PSUBSCRIBE pw:events:acme",
)
# The rival; and as control a user with all rights: the words are right.
OF_NO_TENANT = (
    "RPUSH pw:inbox x",
    "LPUSH pw:inbox x",
    "XADD pw:jobs * job x",
    "RPUSH {pw:inbox}:tenants:processing:w1 x",
    "RPUSH {pw:inbox}:processing:w1 x",
    "LRANGE pw:inbox:acme 0 -1",
    "LPOP pw:inbox:acme",
    "LREM pw:inbox:acme 1 y",
    "LTRIM pw:inbox:acme 0 -1",
    "DEL pw:inbox:acme",
    "LMOVE pw:inbox:rival pw:inbox:acme LEFT LEFT",
    "LMOVE pw:inbox:acme pw:inbox:rival LEFT LEFT",
    "RPUSHX pw:inbox:acme x",
    "RPUSH pw:jobs:rival x",
    "XADD pw:inbox:rival * job x",
    "COPY pw:inbox:rival pw:inbox:acme2",
    "XRANGE pw:jobs:acme - +",
    "XREAD STREAMS pw:jobs:acme 0",
    "XDEL pw:jobs:acme 1-1",
    "XTRIM pw:jobs:acme MAXLEN 100",
    "XGROUP CREATE pw:jobs:acme other 0 MKSTREAM",
    "SET pw:result:acme:1 forged",
    "APPEND pw:result:acme:1 x",
    "EXPIRE pw:result:acme:1 1000",
    "PERSIST pw:result:acme:1",
    "MGET pw:result:acme:1 pw:result:rival:1",
    "GETDEL pw:result:acme:2",
    "XRANGE pw:{0}:results - +",
    "XADD pw:{0}:results * result x",
    "XRANGE pw:{0}:dead - +",
    "GET pw:{0}:body:acme/1",
    "HGETALL pw:{0}:job:acme/1",
    "HGETALL pw:{0}:access_token:0",
    "ZADD pw:{0}:cancellations 1 acme/1",
    "SET pw:{0}:done:acme/9 x",
    "RPUSH pw:{0}:control:w1 cancel",
    "HSET pw:{0}:config x 1",
    "PUBLISH pw:events:acme x",
    "PUBLISH pw:results:acme x",
    "PSUBSCRIBE pw:results:*",
    "PSUBSCRIBE pw:*",
    "SUBSCRIBE pw:events:_fleet",
    "CLIENT LIST",
    "CLIENT TRACKING ON BCAST",
    "KEYS *",
    "SCAN 0",
    "EVAL return(1) 0",
    "FUNCTION LIST",
    "ACL WHOAMI",
    "CONFIG GET port",
    "INFO",
)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as opened:
        for tenant in ("acme", "rival"):
            opened.command("ACL", "SETUSER", tenant, "reset", "on", ">secret", *redis_rules("pw", tenant))
        yield opened


@pytest.fixture
async def counter(server: RedisServer) -> AsyncIterator[Counter]:
    server.command("FLUSHALL")
    async with open_counter(server.url) as opened:
        yield opened


def said(server: RedisServer, user: str, words: str) -> Any:
    """The reply to one command of this user; that to a subscription is its confirmation. Raises what Redis answers."""
    login = {} if user == "default" else {"username": user, "password": "secret"}
    # Any: redis-py leaves it untyped.
    connect: Any = redis.Connection
    connection = connect(port=server.port, protocol=2, socket_timeout=5, **login)
    try:
        connection.send_command(*words.split())
        return connection.read_response()
    finally:
        connection.disconnect()


@pytest.mark.parametrize("words", OF_THE_OTHER)
def test_a_tenant_reaches_nothing_of_another(server: RedisServer, words: str) -> None:
    server.command("FLUSHALL")
    with pytest.raises(redis.exceptions.NoPermissionError):
        said(server, "rival", words)
    assert server.command("DBSIZE") == 0
    said(server, "acme", words)
    said(server, "rival", words.replace("acme", "rival"))


@pytest.mark.parametrize("words", OF_NO_TENANT)
def test_a_tenant_reaches_nothing_of_the_fleet(server: RedisServer, words: str) -> None:
    server.command("FLUSHALL")
    with pytest.raises(redis.exceptions.NoPermissionError):
        said(server, "rival", words)
    assert server.command("DBSIZE") == 0
    said(server, "default", words)


@pytest.mark.parametrize("function", ["cancel", "enqueue", "reject", "list_jobs", "access_token_list", "purge"])
async def test_a_tenant_calls_no_function(server: RedisServer, counter: Counter, function: str) -> None:
    words = ("FCALL", counter.queue.function(function), 1, "pw:{0}", packed(ref="acme/1", memory_ms=1, tenant="acme"))
    # Any: redis-py leaves it untyped.
    rival: Any = server.client("rival", "secret")
    with pytest.raises(redis.exceptions.NoPermissionError):
        rival.execute_command(*words)
    if function in ("cancel", "access_token_list"):
        await counter.redis_client.send(*words, key="pw:{0}")


TEXTS = {
    "a job of the other": JOB,
    "in a list": f"[{JOB}]",
    "with a mistake": JOB.replace('"endpoint_module"', '"wrong":1,"endpoint_module"'),
    "without a module": '{"job_id":"1","tenant_id":"acme"}',
    "that expires at once": JOB.replace("}", ',"expires_at":"2020-01-01T00:00:00Z"}'),
    "with a callback": JOB.replace("}", ',"callback_url":"https://acme.example/"}'),
}


@pytest.mark.parametrize("way", ["list", "stream"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_no_text_of_a_tenant_acts_for_another(counter: Counter, text: str, way: str) -> None:
    """Neither before nor while a job of this id waits. The control is the same text in acme's inbox."""
    push = counter.push_to if way == "list" else counter.add_to
    inspection, ref = counter.queue.inspection, JobRef("acme", "1")
    async with counter.intake(admission=of_tenants("acme", "rival")):
        await push("rival", text.encode())
        await counter.settled()
        assert await counter.jobs() == 0
        assert await inspection.result(ref) is None
        assert await inspection.result(JobRef("rival", "1")) is not None
        await push("acme", text.encode())
        await counter.settled()
        came = await counter.jobs() == 1 or await inspection.result(ref) is not None
        assert came, "the control"
        if await counter.jobs() == 0:
            await counter.push_to("acme", JOB.encode())
            await counter.reached(1)
        await push("rival", text.encode())
        await counter.settled()
        assert await counter.jobs() == 1, "it still waits"
    assert await counter.order() == ["1"]


async def test_no_token_of_a_tenant_acts_for_another(counter: Counter) -> None:
    tokens = counter.queue.access_tokens
    admin, reader = TokenAdmin(tokens), TokenReader(tokens, cache_seconds=0)
    acme, rival = [await admin.create(tenant, SCOPES) for tenant in ("acme", "rival")]
    grant = await reader.grant(rival.text)
    assert grant is not None
    for scope in SCOPES:
        assert not grant.permits(scope, "acme")
        assert grant.permits(scope, "rival")
    mixed = acme.text.rpartition("_")[0] + "_" + rival.text.rpartition("_")[2]
    assert await reader.grant(mixed) is None
    for act in (admin.revoke("rival", acme.token_id), admin.rotate("rival", acme.token_id, 60)):
        with pytest.raises(AccessTokenRefused):
            await act
    assert await reader.grant(acme.text) is not None
    await admin.rotate("acme", acme.token_id, 60)
    await admin.revoke("acme", acme.token_id)
    assert await reader.grant(acme.text) is None


async def test_a_user_of_a_tenant_hears_its_own_rejections(server: RedisServer, counter: Counter) -> None:
    """What the rival pushes for acme becomes the rival's result, which its user reads."""
    async with counter.intake(admission=of_tenants("acme", "rival")):
        said(server, "rival", f"RPUSH pw:inbox:rival {JOB}")
        await counter.settled()
    result = json.loads(said(server, "rival", "GET pw:result:rival:1"))
    assert (result["tenant_id"], result["error"]["type"]) == ("rival", "tenant_mismatch")
    with pytest.raises(redis.exceptions.NoPermissionError):
        said(server, "acme", "GET pw:result:rival:1")


def test_the_tables_have_at_least_forty_tries() -> None:
    assert len({*OF_THE_OTHER, *OF_NO_TENANT}) >= 40
