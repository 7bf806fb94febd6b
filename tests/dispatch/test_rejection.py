"""What the sender of a job that can never run is told."""

import msgspec
import pytest

from pageworker_sandbox.page_rules import OptionRefused
from pageworker_supervisor.dispatch.rejection import Refusal, failed_fetch, rejection_of
from pageworker_supervisor.files.errors import FileError
from pageworker_supervisor.input_schema.errors import PayloadInvalid
from pageworker_supervisor.input_schema.messages import PayloadMistake
from pageworker_supervisor.proxies.choice import ProxyRefused
from pageworker_supervisor.registry.errors import ModuleUnknown
from pageworker_supervisor.runners.egress_sets import DigestCollision

MISTAKES = (PayloadMistake("payload.url", "is required"),)


@pytest.mark.parametrize(
    ("refusal", "type_", "detail"),
    [
        (PayloadInvalid(MISTAKES), "payload_invalid", MISTAKES),
        (ModuleUnknown("no such module"), "module_unknown", {"mend": ModuleUnknown.mend}),
        (
            ProxyRefused("eu", "the job", "names no policy", "use `us`"),
            "proxy_unknown",
            {"field": "proxy", "rule": "the job names no policy", "hint": "use `us`"},
        ),
        (
            OptionRefused("locale", "is no locale", "use de-DE"),
            "invalid_field",
            {"field": "page.locale", "rule": "is no locale", "hint": "use de-DE"},
        ),
        (DigestCollision("two sets"), "module_invalid", None),
        (FileError("file_unknown", "it is gone").of("a.pdf"), "file_unknown", {"file": "a.pdf"}),
    ],
)
def test_each_refusal_has_its_type_and_its_detail(refusal: Refusal, type_: str, detail: object) -> None:
    end = rejection_of(refusal)
    assert end.error is not None
    assert (end.status, end.error.type, end.error.detail) == ("rejected", type_, detail)
    assert (end.error.message, end.error.retryable) == (str(refusal), False)


def test_a_file_that_may_come_another_time_fails_the_attempt() -> None:
    outcome = failed_fetch(FileError("file_unavailable", "its server answered 503").of("a.pdf"))
    assert (outcome.outcome, outcome.begun, outcome.runner_id) == ("failed", False, None)
    assert outcome.failure is not None
    assert (outcome.failure.type, outcome.failure.retryable) == ("file_unavailable", True)
    assert outcome.detail == msgspec.Raw(b'{"file":"a.pdf"}')
