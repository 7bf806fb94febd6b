"""The Parameter Store as the place of the central configuration, on moto's server and a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer
from pw_servers.s3 import ENVIRONMENT, s3_server

from pageworker_supervisor.central.parameter_follower import ParameterFollower
from pageworker_supervisor.central.parameter_store import ParameterStore, ParameterStoreAway
from pageworker_supervisor.queue.config_store import ConfigStore
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.telemetry.metrics import Metrics

BASE = "/pageworker/prod"


@pytest.fixture(scope="module")
def aws_url() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def parameters(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an empty Parameter Store. A worker finds the same one."""
    for name, value in {**ENVIRONMENT, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": aws_url}.items():
        monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("ssm")
    yield client
    found = client.get_parameters_by_path(Path="/", Recursive=True)["Parameters"]
    for parameter in found:
        client.delete_parameter(Name=parameter["Name"])


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    async with open_harness(live_redis.port) as opened:
        yield opened


def follower_on(store: ConfigStore, path: str = BASE, poll_seconds: float = 30.0) -> tuple[ParameterFollower, Metrics]:
    async def probe() -> None:
        """Redis is up."""

    metrics = Metrics()
    return ParameterFollower(ParameterStore(path), store, Availability(probe), poll_seconds, metrics), metrics


def put(client: Any, **values: str) -> None:
    for name, value in values.items():
        client.put_parameter(Name=f"{BASE}/{name.replace('__', '/')}", Value=value, Type="String", Overwrite=True)


async def test_a_parameter_becomes_a_version(parameters: Any, harness: QueueHarness) -> None:
    store = harness.queue.config
    follower, metrics = follower_on(store)
    put(parameters, pool__runners="6", log__level="debug")
    await follower.look()
    state = await store.state()
    assert (state.version, state.texts) == (1, {"pool.runners": "6", "log.level": '"debug"'})
    assert state.who.startswith("ssm: ")
    assert state.why == "changed in the Parameter Store"
    await follower.look()
    assert (await store.state()).version == 1
    assert b"pageworker_config_source_up 1.0" in metrics.expose()


async def test_it_looks_again_after_the_time_of_the_setting(
    parameters: Any, harness: QueueHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = harness.queue.config
    follower, _ = follower_on(store, poll_seconds=0.05)
    looks = asyncio.Queue[None]()
    plain = follower.look

    async def look() -> None:
        await plain()
        looks.put_nowait(None)

    monkeypatch.setattr(follower, "look", look)
    running = asyncio.get_running_loop().create_task(follower.run())
    try:
        async with asyncio.timeout(60):
            for runners in ("6", "7"):
                put(parameters, pool__runners=runners)
                # The first one may have begun before.
                for _ in range(2 + looks.qsize()):
                    await looks.get()
                assert (await store.state()).texts == {"pool.runners": runners}
    finally:
        running.cancel()


async def test_more_than_one_page_of_parameters_is_read(parameters: Any, harness: QueueHarness) -> None:
    put(parameters, **{f"tenants__t{number}__weight": "2" for number in range(25)})
    follower, _ = follower_on(harness.queue.config)
    await follower.look()
    assert len((await harness.queue.config.state()).texts) == 25


async def test_a_refused_version_is_proposed_once(parameters: Any, harness: QueueHarness) -> None:
    store = harness.queue.config
    empty = (await store.state()).digest
    await harness.consumer.register_worker("w1")
    await store.look("w1", 0, empty)
    follower, _ = follower_on(store)
    other, _ = follower_on(store)
    put(parameters, pool__runners="0")

    async def refuse() -> None:
        while not (look := await store.look("w1", 0, empty)).id:
            pass
        await store.vote("w1", look.id, ["1 to 64"])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(refuse())
        await follower.look()
    assert (await store.state()).version == 0
    for one in (follower, other):
        await one.look()
        assert not await harness.client.exists("pw:{0}:config:proposal")


async def test_an_empty_path_takes_nothing_away(parameters: Any, harness: QueueHarness) -> None:
    store = harness.queue.config
    await store.propose("p1", 0, {"pool.runners": "6"}, "me", "because")
    follower, metrics = follower_on(store, "/pageworker/mistyped")
    await follower.look()
    assert (await store.state()).texts == {"pool.runners": "6"}
    assert "no parameter is below /pageworker/mistyped" in follower.trouble
    assert b"pageworker_config_source_up 0.0" in metrics.expose()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "EndpointConnectionError"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "give this host credentials"),
        ({"AWS_DEFAULT_REGION": "", "AWS_REGION": ""}, "set AWS_DEFAULT_REGION"),
    ],
    ids=["unreachable", "no credentials", "no region"],
)
async def test_what_is_wrong_is_named_and_nothing_changes(
    parameters: Any,
    harness: QueueHarness,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    words: str,
) -> None:
    store = harness.queue.config
    await store.propose("p1", 0, {"pool.runners": "6"}, "me", "because")
    put(parameters, pool__runners="7")
    for name, value in environment.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    follower, _ = follower_on(store)
    await follower.look()
    assert words in follower.trouble
    assert f"Parameter Store at {BASE}" in follower.trouble
    assert (await store.state()).texts == {"pool.runners": "6"}


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("AccessDeniedException", "ssm:GetParametersByPath"),
        ("ExpiredTokenException", "renew the credentials"),
        ("Surprise", "documentation"),
    ],
)
def test_an_answer_of_aws_says_how_to_mend_it(code: str, mend: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, "GetParametersByPath")
    away = ParameterStoreAway(BASE, error)
    assert code in str(away)
    assert mend in str(away)
