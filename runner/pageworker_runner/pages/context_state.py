"""What jobs share in Playwright's client: the browser context, its browser, and the connection to the driver."""

from playwright.async_api import BrowserContext

from pageworker_runner.pages.client_state import ClientState
from pageworker_runner.pages.playwright_internals.client_objects import client_context_objects, public_context_objects
from pageworker_runner.pages.playwright_internals.private_names import LIVE_STATE, SHARED_STATE
from pageworker_runner.pages.playwright_internals.timeouts_and_bindings import clear_context_bindings

SHARED = frozenset(f"{owner}.{name}" for owner, names in SHARED_STATE.items() for name in names)


class ContextState:
    """The state of these objects before the first job."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._public = ClientState(public_context_objects(context), LIVE_STATE)
        self._client = ClientState(client_context_objects(context), LIVE_STATE)

    def take_back(self, *, alone: bool) -> str | None:
        """Set back what an ended job has changed. Returns why the runner must be retired, or None.

        `alone`: no other job runs. Otherwise nothing is set back, since it may be the other job's.
        """
        if alone:
            self._public.restore()
            clear_context_bindings(self._context)
            changed = self._client.changed()
        else:
            changed = self._public.changed() + [name for name in self._client.changed() if name not in SHARED]
        return f"a module changed {', '.join(changed)}" if changed else None
