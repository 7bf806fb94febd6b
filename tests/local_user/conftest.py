"""One default daemon for the folder; tests must leave it as it was."""

import os
from collections.abc import Iterator

import pytest
from pw_local_user import LocalUserHost, default_daemon


@pytest.fixture(scope="session")
def host() -> Iterator[LocalUserHost]:
    """A daemon that root started. Without root the tests cannot act as another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    with default_daemon() as started:
        yield started
