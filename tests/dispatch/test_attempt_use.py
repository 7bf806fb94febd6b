"""What a job's history tells of an attempt: bounded, and without secrets."""

from types import SimpleNamespace
from typing import Any

import msgspec
from pw_doubles import any_typed

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.job_history import AttemptUse
from pageworker_supervisor.contract.result import ArtifactRecord
from pageworker_supervisor.dispatch.attempt_use import LISTED, attempt_use
from pageworker_supervisor.secrets.masker import SecretMasker

JOB = Job(job_id="j", tenant_id="acme", endpoint_module="shop.product", trace_id="a" * 32)
BUNDLE = any_typed(SimpleNamespace(name="shop.product", version="1.4.2", sha256="c" * 64))


def page(secrets: list[str], kinds: list[str]) -> Any:
    masker = SecretMasker()
    masker.add("shop_login", "hunter2-hunter2")
    artifacts = [
        ArtifactRecord(kind=kind, url="file:///x", sha256="d" * 64, bytes=1, content_type="image/png") for kind in kinds
    ]
    return any_typed(
        SimpleNamespace(
            runner=SimpleNamespace(runner_id="w1.3"),
            number=2,
            secrets_asked=secrets,
            artifacts=artifacts,
            masker=masker,
        )
    )


def used(*arguments: Any) -> AttemptUse:
    return msgspec.json.decode(attempt_use(*arguments), type=AttemptUse)


def test_before_it_has_a_page_little_is_known() -> None:
    assert used(JOB, 1, 7, None, None, None) == AttemptUse(attempt=1, config_version=7, trace_id="a" * 32)


def test_all_that_it_used_is_named() -> None:
    found = used(JOB, 2, 0, BUNDLE, page(["shop_login value granted"], ["screenshot"]), "de/p.test:1", "failed", "boom")
    assert found == AttemptUse(
        attempt=2,
        module="shop.product",
        module_version="1.4.2",
        module_digest="c" * 64,
        config_version=0,
        runner_id="w1.3",
        page=2,
        proxy="de/p.test:1",
        trace_id="a" * 32,
        outcome="failed",
        error="boom",
        secrets=("shop_login value granted",),
        artifacts=("screenshot dddddddddddddddd",),
    )


def test_it_is_bounded_and_says_how_much_is_left_out() -> None:
    many = page(["s" * 1000 + str(n) for n in range(30)], ["k" * 1000] * 30)
    text = attempt_use(JOB, 1, 1, BUNDLE, many, "p" * 9999, "failed", "e" * 9999)
    assert len(text) <= 4096
    assert msgspec.json.decode(text, type=AttemptUse).left_out == 2 * (30 - LISTED)


def test_an_artifact_named_after_a_secret_does_not_tell_it() -> None:
    text = attempt_use(JOB, 1, 1, BUNDLE, page([], ["hunter2-hunter2"]), None)
    assert b"hunter2" not in text
