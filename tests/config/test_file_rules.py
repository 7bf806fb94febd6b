"""Rules of `[files]` and of links to artifacts."""

from typing import Any

import msgspec
import pytest

from pageworker_supervisor.config.file_rules import file_findings, link_findings
from pageworker_supervisor.config.settings import Settings

LINKS: dict[str, Any] = {
    "artifacts": {"link_secret": "links"},
    "api": {"public_url": "https://jobs.example/pw"},
    "secrets": {"backend": "files"},
}


def found(**given: Any) -> list[str]:
    settings = msgspec.convert(given, Settings)
    return [".".join(path) for path, *_ in (*file_findings(settings), *link_findings(settings))]


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, []),
        ({"files": {"url": "s3://bucket/x", "allowed_urls": ["https://store.example/inbox/*"]}}, []),
        ({"files": {"url": "ftp://x", "allowed_urls": ["store.example"]}}, ["files.url", "files.allowed_urls"]),
        (LINKS, []),
        ({**LINKS, "artifacts": {"link_secret": "links", "url": "s3://bucket"}}, ["artifacts.link_secret"]),
        ({**LINKS, "artifacts": {"link_secret": "links", "links": "plain"}}, ["artifacts.link_secret"]),
        ({"artifacts": {"link_secret": "links"}}, ["artifacts.link_secret"] * 2),
        ({"api": {"public_url": "jobs.example"}}, ["api.public_url"]),
        ({"api": {"public_url": "https://jobs.example/?x=1"}}, ["api.public_url"]),
    ],
)
def test_what_does_not_fit_together_is_named(given: dict[str, Any], fields: list[str]) -> None:
    assert found(**given) == fields
