"""What can be a secret's value. No refusal shows it."""

import pytest

from pageworker_sandbox.wire.messages import MAX_SECRET_CHARS
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing
from pageworker_supervisor.secrets.secret_text import value_of

REF = SecretRef("acme", "login")


@pytest.mark.parametrize("value", ["x", "pässwörd", "two\nlines", "x" * MAX_SECRET_CHARS])
def test_text_and_its_utf_8_are_values(value: str) -> None:
    assert value_of(REF, value) == value
    assert value_of(REF, value.encode()) == value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        (b"", "is empty"),
        (None, "no text but of type NoneType"),
        (5, "no text but of type int"),
        ({"hunter": "hunter22"}, "no text but of type dict"),
        (b"hunter22\xff", "not UTF-8 text at byte 8"),
        ("hunter22\ud800", "half of a surrogate pair"),
        ("hunter22" * MAX_SECRET_CHARS, "at most"),
    ],
)
def test_anything_else_is_refused_without_its_value(value: object, why: str) -> None:
    with pytest.raises(SecretMissing, match=why) as caught:
        value_of(REF, value)
    assert "acme/login" in str(caught.value)
    assert "hunter22" not in str(caught.value)
