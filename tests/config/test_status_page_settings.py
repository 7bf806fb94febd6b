"""The section `[status_page]`."""

import msgspec
import pytest

from pageworker_supervisor.config.not_yet import instead_of
from pageworker_supervisor.config.status_page_settings import StatusPageSettings


def test_pictures_of_running_pages_are_refused_by_name() -> None:
    assert "screenshots" in (instead_of(("status_page", "thumbnails")) or "")
    assert instead_of(("status_page", "enabled")) is None


def test_the_page_is_there_and_needs_a_token() -> None:
    page = StatusPageSettings()
    assert (page.enabled, page.open_on_loopback, page.allowed_hosts) == (True, False, ())


@pytest.mark.parametrize("seconds", [0, 59, 604_801])
def test_a_session_has_a_bounded_length(seconds: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"session_seconds": seconds}, StatusPageSettings)
