"""One whole worker that several tenants share, for tests of what one tenant can do to another.

    pytestmark = pw_tenants.MARKS

    async def test_…(home: Home) -> None:
        '''Tenant A tries …; tenant B keeps ….'''
        a, b, job_id = home.a, home.b, home.fresh("same")
        await a.push(a.say(job_id))
        assert (await b.result(job_id))["status"] == "succeeded"

`home` runs as long as the test session and is shared: take ids from `fresh`, and leave nothing running behind. A test
that needs settings of its own opens a `home_with` in a module-scoped fixture of loop scope "session".
"""

import pytest

from pw_tenants.home import Home, home_with
from pw_tenants.mailbox import Mailbox
from pw_tenants.tenant import Tenant

MARKS = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.redis,
    pytest.mark.timeout(120),
]
"""Of every test file that uses the shared worker."""

__all__ = ["MARKS", "Home", "Mailbox", "Tenant", "home_with"]
