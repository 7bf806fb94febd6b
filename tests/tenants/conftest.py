"""The worker that the tests of this folder share."""

from collections.abc import AsyncIterator

import pytest_asyncio
from pw_tenants import Home, home_with


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home() -> AsyncIterator[Home]:
    """One worker on an external Redis with the tenants a, b and c, for the whole session."""
    async with home_with() as opened:
        yield opened
