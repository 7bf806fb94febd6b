"""`workerctl tenant subscriptions|subscribe|unsubscribe`: where results and events of a tenant are sent."""

import asyncio
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from pageworker_supervisor.cli.audited import Reason, audited
from pageworker_supervisor.cli.config_change import settings_in_effect
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, show, table
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.subscription import (
    SubscriptionInvalid,
    callback_trouble,
    checked_events,
    checked_modules,
)
from pageworker_supervisor.contract.utc_time import utc_text
from pageworker_supervisor.queue.subscriptions import (
    AddedSubscription,
    Subscription,
    is_subscription_id,
    new_subscription_id,
)


class EndedSubscription(Struct, frozen=True):
    """A subscription that gets nothing any more."""

    tenant_id: str
    subscription_id: str


def list_subscriptions(name: str, *, config: Config = None, json: Json = False) -> CommandExit:
    """List the subscriptions of a tenant, the oldest first, with what waits for each.

    The column STATE says `disabled` if all tries failed for three days. Only Redis is needed. Example:
    `workerctl tenant subscriptions acme`.

    Parameters
    ----------
    name
        The tenant's id.
    """
    tenant = paused_name("tenant", name)

    async def read() -> list[Subscription]:
        async with open_queue(config) as (_, queue, _settings):
            return await queue.subscriptions.of(tenant)

    rows = asyncio.run(read())
    lines = [
        (
            *(row.subscription_id, row.state, row.waiting, row.dropped, _instant(row.failing_since)),
            *(" ".join(row.events), " ".join(row.modules) or "-", row.url),
        )
        for row in rows
    ]
    heads = ("SUBSCRIPTION", "STATE", "WAITING", "DROPPED", "FAILING SINCE", "EVENTS", "MODULES", "URL")
    show(rows, table(heads, lines), json)
    return CommandExit.DONE


def subscribe(
    name: str,
    url: str,
    *,
    event: Annotated[tuple[str, ...], Parameter(consume_multiple=False, negative=())],
    module: Annotated[tuple[str, ...], Parameter(consume_multiple=False, negative=())] = (),
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Make a subscription: results and events of a tenant are sent to a URL, as callbacks are.

    The tenant's `callback_allow` has to cover the URL. The same command again makes no second subscription. It enables
    a disabled one. The exit code is 4 if the subscription is refused.

    Example: `workerctl tenant subscribe acme https://hooks.example/in --event "job.*" --event event.blocked`.

    Parameters
    ----------
    name
        The tenant's id.
    url
        Where results and events are sent.
    event
        `job.succeeded` and the other statuses, `job.*` for all results, or `event.` and the name of an event. Repeat it
        for several.
    module
        Results of these modules only, e.g. `shop.*`. Repeat it for several.
    """
    tenant = paused_name("tenant", name)
    try:
        events = checked_events(event)
        modules = checked_modules(module, events)
    except SubscriptionInvalid as invalid:
        raise CommandError(str(invalid), invalid.hint, CommandExit.USAGE) from invalid

    async def add() -> AddedSubscription:
        id_ = new_subscription_id()
        async with open_queue(config) as (_, queue, local):
            found = limits_for((await settings_in_effect(config, queue, local)).tenants, tenant)
            has_secret = found.callback_secret is not None or found.callback_secret_file is not None
            if (trouble := callback_trouble(url, found.callback_allow, has_secret=has_secret)) is not None:
                raise CommandError(str(trouble), trouble.hint, CommandExit.REFUSED)
            detail = {"subscription": id_, "events": " ".join(events)}
            async with audited(queue, local, "tenant subscribe", tenant, reason, detail) as action:
                added = await queue.subscriptions.add(tenant, id_, url, events, modules)
                if added is None:
                    mend = "End one with `workerctl tenant unsubscribe`."
                    raise CommandError("the tenant has as many subscriptions as it may have", mend, CommandExit.REFUSED)
                action.outcome = f"{'found' if added.known else 'made'} {added.subscription.subscription_id}"
                return added

    added = asyncio.run(add())
    show(added.subscription, added.subscription.subscription_id, json)
    if added.known:
        note("The tenant had this subscription before.")
    return CommandExit.DONE


def unsubscribe(
    name: str, subscription_id: str, *, reason: Reason = None, config: Config = None, json: Json = False
) -> CommandExit:
    """End a subscription. Results and events that wait for it are not sent.

    The exit code is 4 if the tenant has no such subscription.

    Example: `workerctl tenant unsubscribe acme sub_0123456789abcdef --reason "the flow is gone"`.

    Parameters
    ----------
    name
        The tenant's id.
    subscription_id
        The id that `workerctl tenant subscriptions` prints.
    """
    tenant = paused_name("tenant", name)
    if not is_subscription_id(subscription_id):
        mend = "Give it as `workerctl tenant subscriptions` prints it."
        raise CommandError("this is no id of a subscription", mend, CommandExit.USAGE)

    async def end() -> None:
        async with open_queue(config) as (_, queue, settings):
            detail = {"subscription": subscription_id}
            async with audited(queue, settings, "tenant unsubscribe", tenant, reason, detail):
                if not await queue.subscriptions.remove(tenant, subscription_id):
                    mend = f"`workerctl tenant subscriptions {tenant}` lists those that it has."
                    raise CommandError("the tenant has no such subscription", mend, CommandExit.REFUSED)

    asyncio.run(end())
    show(EndedSubscription(tenant, subscription_id), f"subscription {subscription_id} has ended", json)
    return CommandExit.DONE


def _instant(seconds: float | None) -> str:
    return "-" if seconds is None else utc_text(seconds, "%Y-%m-%dT%H:%M:%SZ")
