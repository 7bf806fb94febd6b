"""Mistakes of an author end a command with exit code 1, and name the payload's source."""

from pathlib import Path

import pytest
from pw_modules.author import packed

from pageworker_sandbox.signing import BundleMalformed
from pageworker_supervisor.cli.local_job import author_errors, check_given, given_job
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.payload import GivenPayload


def test_a_tenant_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="tenant_id"):
        given_job(packed(), GivenPayload("{}", "--payload"), "A", None, None)


def test_a_payload_that_does_not_fit_is_told_with_its_line() -> None:
    with pytest.raises(CommandError, match=r"p\.json:1: `payload\.url`"):
        check_given(packed(), GivenPayload('{"url": 5}', "p.json"), Path("acme.prices"))


def test_a_module_that_a_worker_would_refuse_ends_with_1() -> None:
    with pytest.raises(CommandError) as caught, author_errors():
        raise BundleMalformed("no")
    assert caught.value.exit_code is CommandExit.FAILED
