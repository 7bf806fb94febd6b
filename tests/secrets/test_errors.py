"""Errors of secrets, by what they mean for a job."""

from pageworker_supervisor.secrets.errors import SecretBackendAway, SecretMissing, SecretUnavailable


def test_only_a_backend_that_is_away_is_worth_another_try() -> None:
    assert SecretUnavailable.retryable
    assert SecretBackendAway.retryable
    assert not SecretMissing.retryable
