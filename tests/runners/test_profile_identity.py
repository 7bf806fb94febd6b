"""A browser that has opened another folder than that of its profile gets no job."""

from types import SimpleNamespace

import pytest
from pw_doubles import any_typed

from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.profile_identity import check_identity
from pageworker_supervisor.runners.start_failure import Blame, explain

LEASE = any_typed(SimpleNamespace(tenant_id="acme", profile_id="main", marker="00ab"))


def test_the_marker_of_the_lease_is_the_browsers() -> None:
    check_identity(LEASE, {"profile_marker": "00ab"})
    check_identity(None, {})


@pytest.mark.parametrize("evidence", [{}, {"profile_marker": "none"}, {"profile_marker": "00ac"}])
def test_another_folder_is_a_fault_of_the_host(evidence: dict[str, str]) -> None:
    with pytest.raises(SpawnFailed, match="acme/main") as caught:
        check_identity(LEASE, evidence)
    assert explain(caught.value).blame is Blame.HOST
