"""Figures in the documents are those of the code. A row fails where one of the two changes alone."""

import re

import pytest

from pageworker_sandbox.confine.probes import PROBES
from pageworker_sandbox.egress import forwarder
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.launch import root_layout
from pageworker_sandbox.signing import manifest
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.admin import bounded_protocol, control_client
from pageworker_supervisor.admin.connection_limits import PEER_DIVISOR, ConnectionLimits
from pageworker_supervisor.artifacts import store
from pageworker_supervisor.cli import connect
from pageworker_supervisor.components import GAUGES_SECONDS, SELF_CHECKS_SECONDS
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract import job, job_errors
from pageworker_supervisor.dispatch import artifact_uploads
from pageworker_supervisor.dispatch.heartbeat import HEARTBEATS_PER_LEASE
from pageworker_supervisor.host import descriptor_limit
from pageworker_supervisor.host.uid_ranges import AREAS
from pageworker_supervisor.input_schema.check_limits import APART, SHARED
from pageworker_supervisor.intake import common_sources, stream_source
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.queue import options, request_counts
from pageworker_supervisor.redis_client import availability, redis_folder, server_config
from pageworker_supervisor.runners import (
    access_line,
    gateway_process,
    moment_calls,
    open_count,
    request_permits,
    start_history,
    watchdog,
)
from pageworker_supervisor.self_checks import clocks
from pageworker_supervisor.sizing import recommendation, site
from pageworker_supervisor.telemetry import label_values
from pageworker_supervisor.telemetry.metrics import bounded, timings
from pageworker_supervisor.worker_config import LEAVE_SECONDS
from pageworker_supervisor.worker_report import CALLBACK_GRACE_SECONDS, REQUEUE_SECONDS, longest_stop_seconds
from repository.sources import ROOT

KIB, MIB = 1024, 1024**2
WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 8: "eight", 10: "ten"}
LUA = ROOT / "supervisor/pageworker_supervisor/queue/lua"


def lua(file: str, name: str) -> int:
    """A constant of the queue's functions."""
    found = re.search(rf"^ *local {name} = (\d+)", (LUA / file).read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


DEFAULTS, INTAKE, EGRESS = Settings(), IntakeTimeouts(), EgressLimits()
HTTP = ConnectionLimits(descriptor_limit.HTTP_CONNECTIONS)
LEASE = options.LEASE_MS // 1000
RANGES = [f"{area.first}-{area.last}" for area in AREAS]

# By document: a phrase, and what stands in its gaps.
FIGURES: dict[str, list[tuple[str, tuple[object, ...]]]] = {
    "metrics.md": [
        ("the first {} modules that ran", (label_values.MAX_LABELS,)),
        ("at most {:,} sets of label values", (bounded.MAX_SETS,)),
        ("At most {} have a", (timings.MAX_OPERATIONS,)),
        (
            "every {} seconds, the first time after {} seconds",
            (WORDS[int(watchdog.PING_SECONDS * watchdog.COSTLY_EVERY)], WORDS[int(watchdog.PING_SECONDS)]),
        ),
    ],
    "operations.md": [
        ("A lease ends {} s after its last heartbeat.", (LEASE,)),
        ("A request head must arrive within {:g} s.", (bounded_protocol.HEAD_SECONDS,)),
        ("A client must read an answer within {:g} s.", (bounded_protocol.ANSWER_SECONDS,)),
        ("At most {:,} connections are open. From {} on,", (HTTP.max_connections, HTTP.idle_limit)),
        ("open files to the hard limit, at most {:,}.", (descriptor_limit.MAX_DESCRIPTORS,)),
        ("later each time up to {:g} s", (start_history.LONGEST_PROBE_SECONDS,)),
        ("later each time up to {:g} s", (gateway_process.LONGEST_PAUSE_SECONDS,)),
        ("ends a command with 3 after {:g} s.", (connect.ANSWER_SECONDS,)),
        ("such a worker ends the command after {:g} s.", (control_client.BETWEEN_LINES_SECONDS,)),
        (
            "`worker.drain_seconds` + {:g} s (to put jobs back) + `callbacks.timeout_seconds` + {:g} s + {:g} s",
            (REQUEUE_SECONDS, CALLBACK_GRACE_SECONDS, m.BROWSER_CLOSE_SECONDS),
        ),
        ("repeats some checks every {:g} s.", (SELF_CHECKS_SECONDS,)),
        ("jumps by more than {:g} s", (clocks.JUMP_SECONDS,)),
        ("+ {:g} s (to leave the votes", (LEAVE_SECONDS,)),
        (
            "`worker.drain_seconds` + `callbacks.timeout_seconds` + {:g} s after the signal: {:g} s with",
            (
                longest_stop_seconds(DEFAULTS) - DEFAULTS.worker.drain_seconds - DEFAULTS.callbacks.timeout_seconds,
                longest_stop_seconds(DEFAULTS),
            ),
        ),
        (
            "{:,} per tenant and {:,} per shard",
            (lua("cancellation.lua", "CANCELLATIONS_PER_TENANT"), lua("cancellation.lua", "CANCELLATIONS")),
        ),
        ("otherwise every {} seconds", (WORDS[int(watchdog.PING_SECONDS * watchdog.COSTLY_EVERY)],)),
        ("Checked every {} seconds", (WORDS[int(watchdog.PING_SECONDS)],)),
        ("| `result_too_large` | {} MiB |", (m.MAX_DATA_BYTES // MIB,)),
        ("{:g} s of processor time and {} MiB", (APART.seconds, APART.memory_bytes // MIB)),
        (
            "one try took longer than {:g} s, or all of them together longer than {:g} s",
            (store.TRY_SECONDS, store.PUT_SECONDS),
        ),
        ("too slow for this tenant within the last {:g} s", (store.PAUSE_SECONDS,)),
        ("takes longer than {:g} s, the job is `storing`", (artifact_uploads.SLOW_SECONDS,)),
        ("up to {} of one attempt at once", (WORDS[artifact_uploads.UPLOADS_AT_ONCE],)),
        ("each counted as at least {} KiB", (artifact_uploads.LEAST_CLAIM_BYTES // KIB,)),
        (
            "{} products, {} pictures, {} s per request",
            (site.PRODUCTS, site.PICTURES, site.LATENCY_SECONDS),
        ),
        ("used to {:.0f} %", (recommendation.CPU_SHARE * 100,)),
    ],
    "redis.md": [
        ("`redis.port` ({};", (DEFAULTS.redis.port,)),
        ("{} hex digits", (2 * redis_folder.PASSWORD_BYTES,)),
        ("at least {} MiB is free", (redis_folder.MIN_FREE_BYTES // MIB,)),
        ("After {:g} s of shortage", (options.QueueOptions().replica_patience_seconds,)),
        ("A lease ends {} s after its last heartbeat;", (LEASE,)),
        ("heartbeats are sent every {} s", (LEASE // HEARTBEATS_PER_LEASE,)),
        ("outage of less than about {} s", (LEASE - LEASE // HEARTBEATS_PER_LEASE,)),
        ("waits for up to {} seconds", (WORDS[lua("job.lua", "CRASH_BACKOFF_MS") * 2 // 1000],)),
        ("After {} crashes or lost leases", (WORDS[lua("job.lua", "CRASHES")],)),
        ("at most {} times per second", (WORDS[int(1 / availability.FRESH_SECONDS)],)),
        ("probes it every {} seconds", (WORDS[int(availability.PROBE_INTERVAL_SECONDS)],)),
        ("or checks the stream (once a minute)", (common_sources.UPKEEPS_PER_MEND * INTAKE.upkeep_seconds == 60,)),
        (
            "a text of more than {} MiB, or of more than {} levels",
            (job.MAX_ANSWERED_BYTES // MIB, job_errors.MAX_TEXT_DEPTH),
        ),
        ("batches of at most {} MiB", (stream_source.BATCH_BYTES // MIB,)),
        ("it reads {} KiB per entry", (stream_source.OTHER_BYTES // KIB,)),
        ("which is {} MiB in the embedded Redis", (server_config.MAX_TEXT_BYTES // MIB,)),
        ("idle for an hour", (INTAKE.forget_seconds == 3600,)),
        ("no heartbeat for {:g} s", (INTAKE.silent_seconds,)),
    ],
    "egress.md": [
        ("a head over {} KiB", (EGRESS.head_bytes // KIB,)),
        ("{:g} s without a byte", (EGRESS.silence_seconds,)),
        (
            "{} connections, {:.0f} % of one core for parsing, heads of {} KiB, {:g} s for a head, {:g} s idle",
            (
                EGRESS.connections_per_runner,
                EGRESS.parse_share * 100,
                EGRESS.head_bytes // KIB,
                EGRESS.head_seconds,
                EGRESS.idle_seconds,
            ),
        ),
        ("{:g} s of silence", (EGRESS.silence_seconds,)),
        ("with a length, of which {} KiB have", (forwarder.LARGE_BYTES // KIB,)),
        ("`egress.request_wait_seconds` ({:g} s)", (DEFAULTS.egress.request_wait_seconds,)),
        ("in the last {:g} s needed no new tunnel", (request_permits.PAID_SECONDS,)),
        (
            "at most {} calls to Redis per second and host, whatever its pages do, with up to {} requests",
            (moment_calls.CALLS_PER_SECOND, moment_calls.REQUESTS_PER_CALL),
        ),
        ("when no byte has moved for {:g} s and the last bytes came from the host", (EGRESS.quiet_seconds,)),
        ("gives its permits back after {} s", (lua("fn_open_requests.lua", "OPEN_LEASE_MS") // 1000,)),
        (
            "for {:g} s, and then begins nothing",
            (request_counts.LEASE_SECONDS - open_count.LEASE_MARGIN_SECONDS,),
        ),
        ("the limit may be exceeded for {:g} s", (open_count.RENEW_SECONDS,)),
        ("up to {} s old for the present attempt", (LEASE // HEARTBEATS_PER_LEASE,)),
        ("also while no job ran | up to {:g} s old", (GAUGES_SECONDS,)),
        (
            "at most {:g} lines per second, after a burst of {}",
            (EGRESS.records_per_second, EGRESS.records_burst),
        ),
        ("during the request, at most {},", (access_line.MAX_JOBS,)),
    ],
    "trust.md": [
        ("exceeds {:g} s or {} MiB in the checker", (SHARED.seconds, SHARED.memory_bytes // MIB)),
        ("for this check alone, with {:g} s", (APART.seconds,)),
        ("`sandbox.scratch_bytes` ({} MiB)", (DEFAULTS.sandbox.scratch_bytes // MIB,)),
        ("`sandbox.scratch_bytes` ({} MiB)", (root_layout.SCRATCH_BYTES // MIB,)),
        ("`sandbox.uids` ids ({})", (DEFAULTS.sandbox.uids,)),
        ("The default range lies in {}.", (RANGES[0],)),
        ("the range is {} or {}.", (RANGES[1], RANGES[2])),
        ("Two of {:,} ranges", (AREAS[0].count // DEFAULTS.sandbox.uids // 1000 * 1000,)),
        ("about thirty forbidden acts", (25 <= len(PROBES) <= 35,)),
        ("cancellations of unknown jobs: {:,}", (lua("cancellation.lua", "CANCELLATIONS_PER_TENANT"),)),
        ("up to {} MiB of data", (m.MAX_DATA_BYTES // MIB,)),
        ("{} artifacts of {} MiB together", (m.MAX_ARTIFACTS, m.MAX_ARTIFACTS_BYTES // MIB)),
        ("up to a day (`timeout_seconds`", (manifest.MAX_TIMEOUT_SECONDS == 86_400,)),
    ],
}
ROWS = [(document, phrase, values) for document, rows in FIGURES.items() for phrase, values in rows]


@pytest.mark.parametrize(("document", "phrase", "values"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_a_figure_of_a_document_is_that_of_the_code(document: str, phrase: str, values: tuple[object, ...]) -> None:
    """A phrase without a gap holds where its values are true."""
    text = " ".join((ROOT / "docs" / document).read_text().split())
    if "{" not in phrase:
        assert all(values)
    assert phrase.format(*values) in text


def test_one_peer_may_have_the_documented_part_of_all_connections() -> None:
    assert (PEER_DIVISOR, HTTP.per_peer) == (4, HTTP.max_connections // 4)
