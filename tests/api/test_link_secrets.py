"""The API opens no backend of secrets unless links need one."""

import msgspec

from pageworker_supervisor.api.link_secrets import open_links
from pageworker_supervisor.config.settings import Settings


def test_only_links_need_secrets() -> None:
    backend = {"secrets": {"backend": "environment", "environment": {"allow": True}}}
    assert open_links(msgspec.convert(backend, Settings), {}) == (None, None)
    links = {"artifacts": {"link_secret": "links"}, "api": {"public_url": "https://jobs.example"}}
    store, opened = open_links(msgspec.convert({**backend, **links}, Settings), {})
    assert store is not None
    assert opened is not None
