"""The options of a browser context as they cross the wire: laid over each other, and shown without secrets."""

import msgspec

from pageworker_sandbox.wire.page_options import HttpCredentials, PageOptions, Viewport, pem_blocks

BLOCK = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"


def test_only_what_is_set_counts() -> None:
    base = PageOptions(locale="de-DE", has_touch=True, viewport=Viewport(width=390, height=844))
    over = PageOptions(locale="fr-FR", has_touch=False)
    assert over.given() == {"locale": "fr-FR", "has_touch": False}
    assert over.over(base) == PageOptions(locale="fr-FR", has_touch=False, viewport=Viewport(width=390, height=844))
    assert PageOptions().over(base) == base


def test_they_are_read_as_they_were_written() -> None:
    options = PageOptions(permissions=("camera",), http_credentials=HttpCredentials(username="a", password="b"))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(options), type=PageOptions) == options


def test_no_value_is_shown() -> None:
    options = PageOptions(user_agent="x", http_credentials=HttpCredentials(username="anna", password="s3cret"))
    assert repr(options) == "PageOptions(user_agent, http_credentials)"
    assert repr(options.http_credentials) == "(hidden)"


def test_certificates_are_found_among_comments() -> None:
    assert pem_blocks(f"# ours\r\n{BLOCK}\r\n# theirs\n{BLOCK}\n") == [BLOCK, BLOCK]
    assert pem_blocks("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----") == []
