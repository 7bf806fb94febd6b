"""One POST: a host that no client accepts, an answer without end, and receivers with TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import certifi
import pytest
from pw_receiver import Receiver, receiver
from pw_servers.certificates import Certificates

from pageworker_supervisor.contract.callback_url import CallbackTarget
from pageworker_supervisor.delivery import http_client
from pageworker_supervisor.delivery.callback_policy import Answered, DeliveryTrouble, ReceiverUnreachable


@pytest.mark.parametrize("host", ["xn--a.n8n.example", "127.0.0.999", "[:::::]"])
async def test_a_host_that_httpx_refuses_is_final(host: str) -> None:
    async with http_client.CallbackHttpClient(1) as client:
        outcome = await client.post(CallbackTarget("https", host, 443, "/", "/"), {}, b"", 1.0)
    assert isinstance(outcome, ReceiverUnreachable)
    assert outcome.trouble is DeliveryTrouble.URL


async def test_no_more_of_an_answer_is_kept_than_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "BODY_SECONDS", 1000)
    async with receiver() as there, http_client.CallbackHttpClient(1) as poster:
        target = CallbackTarget.parse(there.url("/endless"))
        assert target is not None
        async with asyncio.timeout(5):
            outcome = await poster.post(target, {"Idempotency-Key": "j"}, b"{}", 5.0)
    assert outcome == Answered(200, bytes(http_client.EXCERPT_BYTES))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def with_tls(certificates: Certificates) -> AsyncIterator[CallbackTarget]:
    """A receiver that serves TLS, as a target."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    async with await asyncio.start_server(Receiver().serve, "127.0.0.1", 0, ssl=context) as server:
        port: int = server.sockets[0].getsockname()[1]
        yield CallbackTarget("https", "127.0.0.1", port, "/ok", "/ok")


async def post(client: http_client.CallbackHttpClient, target: CallbackTarget) -> Answered | DeliveryTrouble:
    outcome = await client.post(target, {"Idempotency-Key": "t:j"}, b"{}", 20.0)
    return outcome.trouble if isinstance(outcome, ReceiverUnreachable) else outcome


async def test_an_authority_of_the_system_is_trusted(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_tls(certificates) as target:
        async with http_client.CallbackHttpClient(1) as client:
            assert await post(client, target) is DeliveryTrouble.TLS
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
        async with http_client.CallbackHttpClient(1) as client:
            assert isinstance(await post(client, target), Answered)


async def test_an_authority_of_certifi_is_trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certifi, "where", lambda: str(certificates.ca))
    async with with_tls(certificates) as target, http_client.CallbackHttpClient(1) as client:
        assert isinstance(await post(client, target), Answered)


async def test_authorities_are_read_once_and_only_for_tls(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []

    def where() -> str:
        reads.append(certificates.ca)
        return str(certificates.ca)

    monkeypatch.setattr(certifi, "where", where)
    async with receiver() as plain, with_tls(certificates) as target, http_client.CallbackHttpClient(2) as client:
        without_tls = CallbackTarget.parse(plain.url("/ok"))
        assert without_tls is not None
        assert isinstance(await post(client, without_tls), Answered)
        assert not reads
        outcomes = await asyncio.gather(*(post(client, target) for _ in range(3)))
        assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert len(reads) == 1


async def test_authorities_that_cannot_be_read_are_read_again(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = iter([Path("/nonexistent"), certificates.ca])
    monkeypatch.setattr(certifi, "where", lambda: str(next(places)))
    async with with_tls(certificates) as target, http_client.CallbackHttpClient(1) as client:
        outcome = await client.post(target, {}, b"{}", 20.0)
        assert isinstance(outcome, ReceiverUnreachable)
        assert outcome.trouble is DeliveryTrouble.TLS
        assert "authorities" in outcome.detail
        assert isinstance(await post(client, target), Answered)
