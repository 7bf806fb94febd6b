"""Names of jobs on the command line."""

import pytest

from pageworker_supervisor.cli.job_name import job_named
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.job import JobRef


def test_tenant_and_id() -> None:
    assert job_named("acme/17") == JobRef("acme", "17")


@pytest.mark.parametrize("text", ["17", "Acme/17", "acme/", "acme/a b"])
def test_any_other_text_is_wrong_usage_with_an_example(text: str) -> None:
    with pytest.raises(CommandError, match=r"write TENANT/ID, e\.g\. acme/17") as caught:
        job_named(text)
    assert caught.value.exit_code == CommandExit.USAGE
