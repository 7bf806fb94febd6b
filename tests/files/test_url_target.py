"""Where a worker connects to for a file's URL."""

import pytest

from pageworker_supervisor.files.errors import FileError
from pageworker_supervisor.files.url_target import CheckedEndpoint, fixed_endpoint, permitted_target, public_endpoint

GLOBS = ("https://store.example/inbox/*", "http://*.lan.example:8080")
TARGET = permitted_target("https://store.example/inbox/a.pdf?x=1", GLOBS)


@pytest.mark.parametrize(
    "url",
    [
        "https://store.example/outbox/a.pdf",
        "https://store.example/inbox/../secret",
        "https://store.example/inbox/%2e%2e/secret",
        "https://store.example:8443/inbox/a.pdf",
        "https://store.example@evil.example/inbox/a",
        "http://store.example/inbox/a.pdf",
        "https://store.example.evil.example/inbox/a",
    ],
)
def test_only_what_the_operator_names_is_fetched(url: str) -> None:
    with pytest.raises(FileError) as refused:
        permitted_target(url, GLOBS)
    assert refused.value.type == "file_not_allowed"
    assert TARGET.request_target == "/inbox/a.pdf?x=1"


def test_a_private_address_needs_the_operators_word() -> None:
    assert public_endpoint(TARGET, ["93.184.216.34", "2606:2800:220::1"]) == CheckedEndpoint("93.184.216.34", 443)
    for addresses, type_ in (
        (["93.184.216.34", "10.0.0.1"], "file_not_allowed"),
        (["::ffff:127.0.0.1"], "file_not_allowed"),
        (["169.254.169.254"], "file_not_allowed"),
        ([], "file_unavailable"),
    ):
        with pytest.raises(FileError) as refused:
            public_endpoint(TARGET, addresses)
        assert refused.value.type == type_
    hosts = {"store.example": "10.0.0.1", "other.example": "10.0.0.2:81"}
    assert fixed_endpoint(TARGET, hosts) == CheckedEndpoint("10.0.0.1", 443)
    assert fixed_endpoint(TARGET, {"store.example": "10.0.0.2:81"}) == CheckedEndpoint("10.0.0.2", 81)
    assert fixed_endpoint(TARGET, {"store.example": "[fd00::1]:81"}) == CheckedEndpoint("fd00::1", 81)
    assert fixed_endpoint(TARGET, {}) is None
