"""The text of an access token."""

import hashlib

import pytest

from pageworker_supervisor.access.token_text import is_token_id, make_token, parse_token

TEXT = f"pw_{'0a' * 8}_{'0b' * 32}"


def test_a_new_token_is_parsed_to_what_is_stored_of_it() -> None:
    text, made = make_token()
    assert parse_token(text) == made
    assert text.startswith(f"pw_{made.token_id}_")
    assert made.digest == hashlib.sha256(text.encode()).hexdigest()


def test_no_two_tokens_share_a_part() -> None:
    texts = [make_token()[0].split("_") for _ in range(50)]
    assert len({part for text in texts for part in text}) == 101


def test_the_secret_is_in_no_representation() -> None:
    text, made = make_token()
    assert text.rpartition("_")[2] not in repr(made)


@pytest.mark.parametrize(
    "untrusted",
    [
        "",
        TEXT[:-1],
        TEXT + "0",
        TEXT + "\n",
        " " + TEXT,
        TEXT.upper(),
        TEXT.replace("0a", "0g"),
        TEXT.replace("pw_", "pt_"),
        TEXT.replace("0", "\u0660"),
        TEXT.replace("_", "-"),
        "\ud800" * 84,
        "x" * 1_000_000,
    ],
)
def test_a_text_of_another_form_is_no_token(untrusted: str) -> None:
    assert parse_token(TEXT) is not None
    assert parse_token(untrusted) is None


@pytest.mark.parametrize("untrusted", ["", "0" * 15, "0" * 17, "../0000000000000", "0" * 15 + "*", "\u0660" * 16])
def test_an_id_is_checked_before_it_is_part_of_a_key(untrusted: str) -> None:
    assert is_token_id("0" * 16)
    assert not is_token_id(untrusted)
