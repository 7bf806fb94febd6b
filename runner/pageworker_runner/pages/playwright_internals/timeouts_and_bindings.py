"""What Playwright's client alone keeps of a page and a browser context: timeouts, names of bindings, what is closed."""

from playwright._impl.isomorphic.manual_promise import LongStandingScope
from playwright._impl.timeout_settings import TimeoutSettings
from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.playwright_internals.client_objects import impl_of


class AttemptTimeouts(TimeoutSettings):
    """Stands between the timeouts of an attempt's page and those of its browser context.

    A timeout that the runner has set for the browser context is replaced, one that a module has set is not.
    """

    def __init__(self, context: TimeoutSettings, runners_ms: float, attempts_ms: float) -> None:
        super().__init__(context)
        self.runners_ms = runners_ms
        self.attempts_ms = attempts_ms

    def _timeout(self, timeout: float | None) -> float:
        return self.replaced(super()._timeout(timeout))

    def _navigation_timeout(self, timeout: float | None) -> float:
        return self.replaced(super()._navigation_timeout(timeout))

    def replaced(self, found_ms: float) -> float:
        """The attempt's, if what was found is the runner's."""
        return self.attempts_ms if found_ms == self.runners_ms else found_ms


def use_timeout(page: Page, runners_seconds: float, attempts_seconds: float) -> None:
    """Have calls of `page` end after `attempts_seconds` instead of the browser context's `runners_seconds`.

    What a module sets for the page or the browser context counts before it.
    """
    impl = impl_of(page)
    context = impl._browser_context._timeout_settings
    impl._timeout_settings._parent = AttemptTimeouts(context, 1000 * runners_seconds, 1000 * attempts_seconds)


def end_waits(page: Page, error: BrowserError) -> None:
    """Have the waits of the client that send no command (`response.finished()`) raise `error`, begun or to come."""
    impl_of(page)._closed_or_crashed_scope.close(error)


def reset_client_state(page: Page) -> None:
    """Reset what only Playwright's client keeps: timeouts, names of bindings, and whether waits have ended."""
    impl = impl_of(page)
    impl._closed_or_crashed_scope = LongStandingScope()
    impl._timeout_settings._parent = impl._browser_context._timeout_settings
    impl._timeout_settings.set_default_timeout(None)
    impl._timeout_settings.set_default_navigation_timeout(None)
    impl._bindings.clear()


def clear_context_bindings(context: BrowserContext) -> None:
    """Forget the names of bindings. The driver has disposed of the bindings themselves."""
    context._impl_obj._bindings.clear()


def reset_context_timeouts(context: BrowserContext, timeout_seconds: float) -> None:
    """Set the default timeout of all pages, which only Playwright's client keeps."""
    settings = context._impl_obj._timeout_settings
    settings.set_default_timeout(timeout_seconds * 1000)
    settings.set_default_navigation_timeout(None)
