"""Logins at a real OpenBao: each auth method, renewal before the end, and a new login where that fails."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from hvac.exceptions import Forbidden, VaultError
from pw_servers.certificates import Certificates
from pw_servers.openbao import OpenBao

from pageworker_supervisor.config.secret_settings import VaultSecretSettings
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretUnavailable
from pageworker_supervisor.secrets.vault import VaultBackend
from pageworker_supervisor.secrets.vault_login import VaultLogin, explained

REF = SecretRef("acme", "login")


@pytest.fixture(autouse=True)
def _secret(bao: OpenBao) -> None:
    bao.put("acme", "login", "correct-horse")


def with_token(bao: OpenBao, folder: Path, token: str) -> VaultSecretSettings:
    file = folder / "token"
    file.write_text(token + "\n")
    return VaultSecretSettings(url=bao.url, token_file=file)


def with_approle(bao: OpenBao, folder: Path, ttl: str = "1h", max_ttl: str = "24h") -> VaultSecretSettings:
    role_id, secret_id = bao.approle(ttl, max_ttl)
    file = folder / "secret_id"
    file.write_text(secret_id)
    return VaultSecretSettings(url=bao.url, auth="approle", role_id=role_id, secret_id_file=file)


async def read(settings: VaultSecretSettings) -> str:
    return (await VaultBackend(settings, 300).fetch(REF)).value


async def test_a_token_from_a_file(bao: OpenBao, tmp_path: Path) -> None:
    assert await read(with_token(bao, tmp_path, bao.token("1h"))) == "correct-horse"


async def test_an_approle(bao: OpenBao, tmp_path: Path) -> None:
    assert await read(with_approle(bao, tmp_path)) == "correct-horse"


def jwt(signature: str) -> str:
    """The token of a service account. Its signature is Kubernetes' affair: OpenBao asks Kubernetes."""
    service_account = {"namespace": "fleet", "serviceaccount": {"name": "pageworker", "uid": "u-1"}}
    claims = {
        "iss": "https://kubernetes.default.svc",
        "sub": "system:serviceaccount:fleet:pageworker",
        "iat": int(time.time()),
        "nbf": int(time.time()) - 60,
        "exp": int(time.time()) + 3600,
        "kubernetes.io": service_account,
    }
    parts = (json.dumps({"alg": "RS256"}), json.dumps(claims), signature)
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


class TokenReview(BaseHTTPRequestHandler):
    """Stands in for the API server of Kubernetes: it knows one token of one service account."""

    JWT = jwt("signed")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.path == "/apis/authentication.k8s.io/v1/tokenreviews" and body["spec"]["token"] == self.JWT
        user = {"username": "system:serviceaccount:fleet:pageworker", "uid": "u-1", "groups": []}
        status = {"authenticated": True, "user": user} if known else {"authenticated": False, "error": "unknown token"}
        answer = json.dumps({**body, "status": status}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@pytest.fixture
def token_review(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where the stand-in is, as OpenBao has to know it."""
    made = Certificates.make(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), TokenReview)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"https://127.0.0.1:{server.server_address[1]}"
    yield {"kubernetes_host": url, "kubernetes_ca_cert": made.ca.read_text()}
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_kubernetes_service_account(bao: OpenBao, tmp_path: Path, token_review: dict[str, str]) -> None:
    bao.call("POST", "sys/auth/kubernetes", type="kubernetes")
    bao.call("POST", "auth/kubernetes/config", disable_local_ca_jwt=True, **token_review)
    bao.call(
        "POST",
        "auth/kubernetes/role/pageworker",
        bound_service_account_names=["pageworker"],
        bound_service_account_namespaces=["fleet"],
        token_policies=["pageworker"],
        token_ttl="1h",
    )
    file = tmp_path / "jwt"
    file.write_text(TokenReview.JWT)
    settings = VaultSecretSettings(url=bao.url, auth="kubernetes", role="pageworker", service_account_token_file=file)
    assert await read(settings) == "correct-horse"
    file.write_text(jwt("forged"))
    with pytest.raises(SecretUnavailable, match="Vault refuses the login by kubernetes"):
        await read(settings)


async def test_a_refused_login_names_the_method_and_no_credential(bao: OpenBao, tmp_path: Path) -> None:
    settings = with_approle(bao, tmp_path)
    (tmp_path / "secret_id").write_text("wrong-secret-id")
    with pytest.raises(SecretUnavailable, match="Vault refuses the login by approle") as caught:
        await read(settings)
    assert "wrong-secret-id" not in str(caught.value)
    (tmp_path / "token").write_text("s.forged-token")
    with pytest.raises(SecretUnavailable, match="Vault refuses the login by token") as caught:
        await read(VaultSecretSettings(url=bao.url, token_file=tmp_path / "token"))
    assert "forged-token" not in str(caught.value)


async def test_a_file_that_is_missing_says_so(bao: OpenBao, tmp_path: Path) -> None:
    with pytest.raises(SecretUnavailable, match="cannot log in to Vault: token: No such file"):
        await read(VaultSecretSettings(url=bao.url, token_file=tmp_path / "token"))


async def test_a_new_token_in_the_file_is_used(bao: OpenBao, tmp_path: Path) -> None:
    old = bao.token("1h")
    vault = VaultBackend(with_token(bao, tmp_path, old), 300)
    await vault.fetch(REF)
    bao.call("POST", "auth/token/revoke-self", old)
    with pytest.raises(SecretUnavailable, match="denies"):
        await vault.fetch(REF)
    (tmp_path / "token").write_text(bao.token("1h"))
    assert (await vault.fetch(REF)).value == "correct-horse"


async def test_a_revoked_approle_token_costs_one_new_login(bao: OpenBao, tmp_path: Path) -> None:
    vault = VaultBackend(with_approle(bao, tmp_path), 300)
    await vault.fetch(REF)
    bao.call("POST", "auth/token/revoke-self", (await vault._login.client()).token)
    assert (await vault.fetch(REF)).value == "correct-horse"


@asynccontextmanager
async def kept(settings: VaultSecretSettings) -> AsyncIterator[VaultLogin]:
    """A login that is kept alive for the block."""
    login = VaultLogin(settings)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(login.run())
        yield login
        running.cancel()


async def until(holds: Callable[[], bool]) -> None:
    """OpenBao reports no renewal, so it is polled."""
    for _ in range(600):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


def lives(bao: OpenBao, token: str) -> bool:
    try:
        bao.call("GET", "auth/token/lookup-self", token)
    except httpx.HTTPStatusError:
        return False
    return True


async def test_a_token_is_renewed_before_it_expires(bao: OpenBao, tmp_path: Path) -> None:
    settings = with_token(bao, tmp_path, bao.token("3s"))
    async with kept(settings) as login:
        assert login.ends_in() is None
        token = (await login.client()).token
        assert 0 < (login.ends_in() or 0) <= 3
        began = login._since
        # Three lives of the token: without renewal it would be gone.
        await until(lambda: login._since > began + 9)
        assert (await login.client()).token == token
        assert lives(bao, token)


async def test_a_token_that_is_not_renewed_expires(bao: OpenBao, tmp_path: Path) -> None:
    """The control of the test before."""
    token = bao.token("1s")
    await until(lambda: not lives(bao, token))


async def test_at_the_end_of_its_longest_life_a_token_is_replaced_by_a_new_login(bao: OpenBao, tmp_path: Path) -> None:
    async with kept(with_approle(bao, tmp_path, ttl="2s", max_ttl="4s")) as login:
        token = (await login.client()).token
        await until(lambda: login._client is not None and login._client.token != token)
        assert lives(bao, (await login.client()).token)


async def test_an_expired_token_is_not_used_even_without_renewal(bao: OpenBao, tmp_path: Path) -> None:
    """A worker that was suspended wakes up with one."""
    vault = VaultBackend(with_approle(bao, tmp_path, ttl="1s", max_ttl="1s"), 300)
    await vault.fetch(REF)
    token = (await vault._login.client()).token
    await until(lambda: not lives(bao, token))
    assert (await vault.fetch(REF)).value == "correct-horse"


async def test_a_renewal_that_fails_is_tried_again(bao: OpenBao, tmp_path: Path) -> None:
    settings = with_token(bao, tmp_path, bao.token("6s"))
    settings = VaultSecretSettings(url=bao.url, token_file=settings.token_file, timeout_seconds=0.3)
    async with kept(settings) as login:
        token, began = (await login.client()).token, login._since
        bao.pause()
        await asyncio.sleep(4.6)  # past the time of the renewal, two thirds of the token's
        assert login._since == began
        bao.resume()
        await until(lambda: login._since > began)
        assert lives(bao, token)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Forbidden(errors=["permission denied"], text='{"data": "hunter22"}'), "Forbidden: permission denied"),
        (VaultError("hunter22"), "VaultError"),
        (OSError("hunter22"), "OSError"),
    ],
)
def test_what_is_told_of_an_error_has_no_body_of_an_answer(error: Exception, text: str) -> None:
    assert explained(error) == text
