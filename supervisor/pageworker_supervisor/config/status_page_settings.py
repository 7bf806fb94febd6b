"""The section `[status_page]`: the page for people at `/` of the HTTP API."""

from typing import Annotated

from msgspec import Meta

from pageworker_supervisor.config.section import Section


class StatusPageSettings(Section, frozen=True):
    """The status page (docs/status-page.md), which `pageworker-api` serves at `/` of `api.bind`."""

    enabled: bool = True
    """Whether there is a status page. Only visitors with an access token see more than its form to sign in."""
    session_seconds: Annotated[float, Meta(ge=60, le=7 * 86_400)] = 8 * 3600.0
    """After this time a visitor signs in again, in seconds. A session ends with its token, too."""
    open_on_loopback: bool = False
    """Whether visitors on the host of the API see the whole fleet without a token. Every user of this host is such a
    visitor. `api.bind` has to be an address of loopback."""
    allowed_hosts: tuple[str, ...] = ()
    """With `open_on_loopback`: host names that visitors without a token may use, e.g. `status.example`. IP addresses
    and `localhost` are always allowed. With other names, a token is needed."""
