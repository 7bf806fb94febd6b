"""The name of a batch on the command line."""

import pytest

from pageworker_supervisor.cli.batch_name import batch_named, no_batch
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.batch import BatchRef


def test_a_name_is_a_tenant_and_a_batch() -> None:
    assert batch_named("acme/nightly") == BatchRef("acme", "nightly")
    with pytest.raises(CommandError, match="write TENANT/BATCH") as refused:
        batch_named("nightly")
    assert refused.value.exit_code == CommandExit.USAGE
    assert "batch list --tenant acme" in no_batch(BatchRef("acme", "nightly")).mend
