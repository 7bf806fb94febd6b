"""Errors of the audit log say whether to try again, and how to fix what is wrong."""

from pageworker_supervisor.audit.errors import AuditBusy, AuditRefused


def test_a_refusal_says_how_to_fix_it() -> None:
    refused = AuditRefused("no key", "copy it")
    assert (str(refused), refused.mend, refused.retryable) == ("no key", "copy it", False)


def test_a_busy_log_may_be_tried_again() -> None:
    assert AuditBusy("later").retryable
