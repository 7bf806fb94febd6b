"""The table of operations is complete."""

import re
from pathlib import Path

import pytest
from pw_doubles import any_typed

from pageworker_supervisor.api.artifact_endpoint import ArtifactEndpoint
from pageworker_supervisor.api.batch_endpoints import BatchEndpoints
from pageworker_supervisor.api.endpoint import Endpoint
from pageworker_supervisor.api.event_endpoint import EventEndpoint
from pageworker_supervisor.api.file_endpoint import FileEndpoint
from pageworker_supervisor.api.grant import ANY
from pageworker_supervisor.api.job_endpoints import JobEndpoints
from pageworker_supervisor.api.limit_endpoint import LimitEndpoint
from pageworker_supervisor.api.module_endpoint import ModuleEndpoint
from pageworker_supervisor.api.problem import PROBLEMS
from pageworker_supervisor.api.subscription_endpoints import SubscriptionEndpoints
from pageworker_supervisor.api.usage_endpoint import UsageEndpoint
from pageworker_supervisor.api.whoami_endpoint import WHOAMI
from pageworker_supervisor.config.file_settings import FileSettings
from pageworker_supervisor.files.store import FileStore

NONE = any_typed(None)
TABLE = (
    *JobEndpoints(NONE, NONE, NONE, NONE, NONE, 60.0).table(),
    *ArtifactEndpoint(NONE, NONE, NONE).table(),
    *ModuleEndpoint(NONE, NONE).table(),
    *LimitEndpoint(NONE, NONE, NONE, NONE).table(),
    *UsageEndpoint(NONE, NONE).table(),
    *EventEndpoint(NONE, NONE, "pw").table(),
    *SubscriptionEndpoints(NONE, NONE, NONE, NONE).table(),
    *BatchEndpoints(NONE, NONE, NONE, NONE).table(),
    *FileEndpoint(FileStore.open(None, Path("/none")), FileSettings()).table(),
    WHOAMI,
)


@pytest.mark.parametrize("endpoint", TABLE, ids=lambda each: f"{each.method} {each.path}")
def test_an_operation_names_known_problems_and_scopes(endpoint: Endpoint) -> None:
    assert endpoint.scopes
    assert endpoint.scopes <= ANY
    assert set(endpoint.problems) <= set(PROBLEMS)
    assert endpoint.answers
    assert re.fullmatch(r"/v1(/[a-z]+|/\{[a-z_]+\})+", endpoint.path)


def test_each_method_of_a_path_is_there_once() -> None:
    named = [(endpoint.method, endpoint.path) for endpoint in TABLE]
    assert len(named) == len(set(named))
