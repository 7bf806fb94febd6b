"""A session is checked by the digest of its token alone."""

import pytest

from pageworker_supervisor.access.session_text import make_session, parse_session

TOKEN_ID, DIGEST = "0123456789abcdef", "ab" * 32


def test_a_session_fits_its_token_alone() -> None:
    text = make_session(TOKEN_ID, DIGEST, 2_000_000_000)
    session = parse_session(text)
    assert session is not None
    assert (session.token_id, session.ends_at) == (TOKEN_ID, 2_000_000_000)
    assert session.made_under(DIGEST)
    assert not session.made_under("ac" * 32)
    assert DIGEST not in text
    assert session.code not in repr(session)


@pytest.mark.parametrize(("old", "new"), [("2000000000", "2000000001"), (TOKEN_ID, "1123456789abcdef")])
def test_a_changed_session_fits_no_token(old: str, new: str) -> None:
    changed = parse_session(make_session(TOKEN_ID, DIGEST, 2_000_000_000).replace(old, new))
    assert changed is not None
    assert not changed.made_under(DIGEST)


@pytest.mark.parametrize("text", ["", "pws_", f"pw_{TOKEN_ID}_{'0' * 64}", f"pws_{TOKEN_ID}_٣_{'0' * 64}", "a" * 9999])
def test_a_text_of_another_form_is_none(text: str) -> None:
    assert parse_session(text) is None
