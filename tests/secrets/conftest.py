"""Real backends, one of each for all tests of this folder."""

from collections.abc import Iterator

import pytest
from pw_servers.openbao import OpenBao, openbao
from pw_servers.secrets_manager import CREDENTIALS, SecretsManager, secrets_manager


@pytest.fixture(scope="session")
def shared_bao() -> Iterator[OpenBao]:
    """One OpenBao. Use `bao`."""
    with openbao() as server:
        yield server


@pytest.fixture
def bao(shared_bao: OpenBao) -> Iterator[OpenBao]:
    """An OpenBao that answers, with the usual policy."""
    shared_bao.policy()
    yield shared_bao
    shared_bao.resume()


@pytest.fixture(scope="session")
def aws() -> Iterator[SecretsManager]:
    """One server with the API of AWS."""
    with secrets_manager() as server:
        yield server


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the AWS SDK finds in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
