"""Errors of payloads: each mistake is listed, and a limit names how to stay below it."""

from pageworker_supervisor.input_schema.errors import CheckerEnded, CheckLimitExceeded, PayloadInvalid
from pageworker_supervisor.input_schema.messages import PayloadMistake


def test_a_payload_that_does_not_match_lists_its_mistakes() -> None:
    one, two = PayloadMistake("payload.url", "is required"), PayloadMistake("payload.n", "is too large", "at most 5")
    invalid = PayloadInvalid((one, two))
    assert str(invalid) == "`payload.url`: is required; `payload.n`: is too large; at most 5"
    assert invalid.mistakes == (one, two)
    assert (invalid.type, invalid.retryable) == ("payload_invalid", False)


def test_a_check_that_exceeds_its_limits_is_no_reason_to_try_again() -> None:
    error = CheckLimitExceeded("too slow")
    assert (error.type, error.retryable) == ("module_check_limit", False)
    assert "`anyOf`" in error.mend


def test_the_end_of_a_checker_keeps_its_status() -> None:
    assert CheckerEnded(-27).status == -27
    assert "-27" in str(CheckerEnded(-27))
