"""Answers the secret requests of one attempt while it runs, and masks the answered secrets in its result."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from msgspec import structs

from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.profile_report import ProfileReport
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.secrets.errors import SecretUnavailable
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.secret_service import SecretDenied, SecretGranted, SecretService, SecretUser

Stop = Callable[[Literal["cancelled"]], Awaitable[None]]


def secret_user(job: Job, attempt: int, bundle: VerifiedBundle) -> SecretUser:
    """Who asks, when the handler of this attempt does."""
    return SecretUser(
        tenant_id=job.tenant_id,
        job=str(job.ref),
        attempt=attempt,
        module=bundle.name,
        version=bundle.version,
        manifest_secrets=bundle.manifest.secrets,
    )


async def answer_secret_requests(page: PageReservation, user: SecretUser, service: SecretService, stop: Stop) -> None:
    """Answer until the attempt has ended. A backend that does not answer stops it, and sets `page.secret_outage`."""
    while (request := await page.next_request(page.secret_requests)) is not None:
        outcome = await _until_ended(page, user, service, request)
        if outcome is not None:
            page.secrets_asked.append(f"{page.masker.text(request.name)} {request.form} {_word(outcome)}")
        match outcome:
            case SecretGranted(text=text):
                answer = m.SecretAnswer(attempt_id=request.attempt_id, number=request.number, value=text)
            case SecretDenied(reason=reason):
                answer = m.SecretAnswer(attempt_id=request.attempt_id, number=request.number, denied=reason)
            case SecretUnavailable():
                page.secret_outage = outcome
                await stop("cancelled")
                return
            case None:
                return
        await page.runner.answer(page, answer)


def _word(outcome: SecretGranted | SecretDenied | SecretUnavailable) -> str:
    match outcome:
        case SecretGranted():
            return "granted"
        case SecretDenied():
            return "denied"
        case SecretUnavailable():
            return "unavailable"


async def _until_ended(
    page: PageReservation, user: SecretUser, service: SecretService, request: m.SecretRequest
) -> SecretGranted | SecretDenied | SecretUnavailable | None:
    """The service's answer; None: the attempt ended first."""

    async def ask() -> SecretGranted | SecretDenied | SecretUnavailable:
        try:
            return await service.answer(user, request.name, request.form, page.masker)
        except SecretUnavailable as away:
            return away

    async with TaskGroup() as tasks:
        asking = tasks.create_task(ask())
        asking.add_done_callback(lambda _: page.changed.set())
        await page.until(lambda: asking.done() or page.done.done())
        if not asking.done():
            asking.cancel()
            return None
    return asking.result()


async def masked_done(done: m.Done, masker: SecretMasker) -> m.Done:
    """What the runner answered, without the secrets of the job. In a thread: a result may have a megabyte."""
    return await asyncio.to_thread(mask_done, done, masker) if masker else done


def mask_done(done: m.Done, masker: SecretMasker) -> m.Done:
    """The same message without the masker's secrets. Data that is no MessagePack stays: its reader reports it. Pure."""
    failure, obstacle, profile = done.failure, done.obstacle, done.profile
    if failure is not None:
        failure = structs.replace(
            failure,
            type=_masked_type(failure.type, masker),
            message=masker.text(failure.message),
            detail=_masked_raw(failure.detail, masker),
        )
    if obstacle is not None:
        obstacle = structs.replace(
            obstacle,
            provider=obstacle.provider and masker.text(obstacle.provider),
            evidence={masker.text(key): masker.text(value) for key, value in obstacle.evidence.items()},
            url=obstacle.url and masker.text(obstacle.url),
        )
    if profile is not None:
        profile = mask_profile(profile, masker)
    data = _masked_raw(done.data, masker)
    return structs.replace(done, data=data, failure=failure, obstacle=obstacle, profile=profile)


def mask_profile(profile: ProfileReport, masker: SecretMasker) -> ProfileReport:
    """The same report without the masker's secrets."""
    evidence = {masker.text(key): masker.text(value) for key, value in profile.evidence.items()}
    return structs.replace(profile, evidence=evidence, url=profile.url and masker.text(profile.url))


def _masked_type(type_: str, masker: SecretMasker) -> str:
    """A type is an identifier: one that holds a secret is replaced by that of failures without one."""
    return type_ if masker.text(type_) == type_ else "module_failure"


def _masked_raw(packed: msgspec.Raw, masker: SecretMasker) -> msgspec.Raw:
    try:
        # Any: whatever the module sent.
        value: Any = msgspec.msgpack.decode(packed)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return packed
    try:
        masked = masker.plain(value)
    except RecursionError:
        masked = {"left_out": "nested too deeply for secrets to be masked in it"}
    return msgspec.Raw(msgspec.msgpack.encode(masked))
