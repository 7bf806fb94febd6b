"""Errors of rollouts."""

from pageworker_supervisor.rollouts.errors import RolloutRefused


def test_a_refusal_says_what_to_do_and_is_not_repeated() -> None:
    refused = RolloutRefused("1.1.0 was rolled back before", "add --again")
    assert (str(refused), refused.mend, refused.retryable) == ("1.1.0 was rolled back before", "add --again", False)
