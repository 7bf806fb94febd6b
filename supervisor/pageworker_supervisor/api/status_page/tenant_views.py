"""Pages about tenants: a list, and one tenant with its limits and its usage. Pure."""

from collections.abc import Sequence

from pageworker_supervisor.api.status_page.job_views import ended_table
from pageworker_supervisor.api.status_page.layout import (
    PageView,
    duration,
    facts,
    instant,
    instant_ms,
    link,
    numbers,
    pages,
    part,
    section,
    size,
    table,
)
from pageworker_supervisor.api.status_page.markup import Address, Element, address
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.queue.ended_jobs import EndedJobRow
from pageworker_supervisor.queue.tenants import TenantUsage
from pageworker_supervisor.queue.usage import UsageHour

PROFILES_SHOWN = 50


def tenants(here: Address, found: Sequence[TenantUsage], following: str | None) -> PageView:
    """A page of tenants, by name."""
    rows = [
        (
            link(address("/tenant", tenant_id=one.tenant_id), one.tenant_id),
            part(one.running, one.concurrency),
            one.queued,
            one.delayed,
            "none" if one.rate_per_second is None else f"{one.rate_per_second:g} per second",
            f"{one.running_share:.0%}",
            one.dead_letters,
            one.throttled or "",
        )
        for one in found
    ]
    heads = ("Tenant", "Running", "Queued", "Delayed", "Rate", "Share of pages", "Dead letters", "Held up by")
    none = "No tenant has jobs, a pause or dead letters, and the settings name none."
    return PageView("Tenants", here, (table("Tenants", heads, rows, none), pages(here, after=following)), live=True)


def tenant(
    title: str,
    here: Address,
    used: TenantUsage,
    settings: TenantSettings | None,
    hours: Sequence[UsageHour],
    ended: Sequence[EndedJobRow],
) -> PageView:
    """One tenant. `settings` None: no setting permits it jobs any more. `hours`: of today, the oldest first."""
    name = used.tenant_id
    bounds = ("", "") if settings is None else (f" of {settings.backlog_jobs:,}", f" of {size(settings.backlog_bytes)}")
    pause = used.pause
    content = (
        numbers(
            (
                ("jobs running", part(used.running, used.concurrency), _jobs(name, "running")),
                ("jobs queued", used.queued, _jobs(name, "queued")),
                ("jobs delayed", used.delayed, _jobs(name, "delayed")),
                ("dead letters", used.dead_letters, address("/dead-letters", tenant_id=name)),
            )
        ),
        facts(
            (
                ("Held up by", used.throttled),
                ("Paused by", pause.by if pause else None),
                ("Paused since", instant_ms(pause.since_ms) if pause else None),
                ("Reason of the pause", pause.reason if pause else None),
                ("Jobs without a result", f"{used.jobs:,}{bounds[0]}"),
                ("Bytes of these jobs", f"{size(used.bytes)}{bounds[1]}"),
                ("Rate", "no limit" if used.rate_per_second is None else f"{used.rate_per_second:g} jobs per second"),
                ("Jobs that may start at once", None if used.tokens is None else f"{used.tokens:.0f} of {used.burst}"),
                ("Weight", f"{used.weight:g}"),
                ("Share of the running jobs", f"{used.running_share:.0%}"),
                ("Page time per job", None if used.mean_page_seconds is None else duration(used.mean_page_seconds)),
                ("Open profiles", ", ".join(used.profiles[:PROFILES_SHOWN])),
            )
        ),
        section("Jobs that ended last", ended_table(ended)),
        section("Usage today", _usage(hours)),
    )
    return PageView(title, here, content, live=True)


def _jobs(tenant_id: str, state: str) -> Address:
    return address("/jobs", tenant_id=tenant_id, state=state)


def _usage(hours: Sequence[UsageHour]) -> Element:
    rows = [
        (
            instant(hour.hour),
            sum(hour.jobs.values()),
            ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in hour.jobs.items()),
            duration(hour.page_seconds),
            hour.requests,
            size(hour.bytes_in),
            size(hour.bytes_out),
        )
        for hour in reversed(hours)
    ]
    heads = ("Hour", "Jobs", "By status", "Page time", "Requests", "Bytes in", "Bytes out")
    return table("Usage today, by the hour in which jobs ended", heads, rows, "No job has ended today.")
