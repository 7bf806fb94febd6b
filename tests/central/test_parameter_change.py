"""Which parameters a change writes and deletes."""

import pytest

from pageworker_supervisor.central.parameter_change import ParameterChange, parameter_change
from pageworker_supervisor.central.parameter_names import NoParameterName

BEFORE = {"/p/pool/runners": "6", "/p/pool/pages": "3", "/p/log/level": "debug"}


def test_only_what_differs_is_written() -> None:
    wanted = {"pool.runners": 7, "pool.pages": 3, "jobs.max_retries": 2}
    change = parameter_change("/p", BEFORE, wanted)
    assert change == ParameterChange({"/p/pool/runners": "7", "/p/jobs/max_retries": "2"}, ["/p/log/level"])
    assert change.undo(BEFORE) == ParameterChange(
        {"/p/pool/runners": "6", "/p/log/level": "debug"}, ["/p/jobs/max_retries"]
    )


def test_a_setting_in_a_table_is_overridden_and_not_deleted() -> None:
    before = {"/p/tenants": '{"acme": {"weight": 2}}'}
    assert parameter_change("/p", before, {"tenants.acme.weight": 3}).put == {"/p/tenants/acme/weight": "3"}
    with pytest.raises(NoParameterName, match="in a table above it"):
        parameter_change("/p", before, {})
