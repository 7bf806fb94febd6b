"""The error of what cannot be done to a token."""

from pageworker_supervisor.access.errors import AccessTokenRefused


def test_it_says_what_to_do_and_is_not_repeated() -> None:
    refused = AccessTokenRefused("there is no such token", "List them.")
    assert (str(refused), refused.mend, refused.retryable) == ("there is no such token", "List them.", False)
