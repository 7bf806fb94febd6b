"""Every message between supervisor and runner. Each is frozen, forbids unknown fields and has a maximum size.

A frame is: kind (u8), number of descriptors (u8), length (u32, big endian), MessagePack body. Bodies are small. Large
bytes (bundles, screenshots, HTML) cross as sealed memfds beside the frame.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from pageworker_sandbox.wire.file_messages import InputFile as InputFile
from pageworker_sandbox.wire.message import Id as Id
from pageworker_sandbox.wire.message import Message as Message
from pageworker_sandbox.wire.message import MessageSpec as MessageSpec
from pageworker_sandbox.wire.obstacle import MAX_BLOCKER_URL as MAX_BLOCKER_URL
from pageworker_sandbox.wire.obstacle import Obstacle as Obstacle
from pageworker_sandbox.wire.once_messages import MAX_ONCE_REQUESTS as MAX_ONCE_REQUESTS
from pageworker_sandbox.wire.once_messages import OnceAnswer as OnceAnswer
from pageworker_sandbox.wire.once_messages import OnceRequest as OnceRequest
from pageworker_sandbox.wire.page_options import BlockedType, PageOptions
from pageworker_sandbox.wire.profile_report import ProbeWish, ProfileReport
from pageworker_sandbox.wire.runner_span import MAX_SPAN_ATTRIBUTES as MAX_SPAN_ATTRIBUTES
from pageworker_sandbox.wire.runner_span import MAX_SPAN_NAME as MAX_SPAN_NAME
from pageworker_sandbox.wire.runner_span import MAX_SPANS as MAX_SPANS
from pageworker_sandbox.wire.runner_span import RunnerSpan as RunnerSpan
from pageworker_sandbox.wire.secret_messages import MAX_SECRET_CHARS as MAX_SECRET_CHARS
from pageworker_sandbox.wire.secret_messages import MAX_SECRET_REQUESTS as MAX_SECRET_REQUESTS
from pageworker_sandbox.wire.secret_messages import SECRET_NAME as SECRET_NAME
from pageworker_sandbox.wire.secret_messages import SecretAnswer as SecretAnswer
from pageworker_sandbox.wire.secret_messages import SecretRequest as SecretRequest
from pageworker_sandbox.wire.step_report import MAX_STEPS as MAX_STEPS
from pageworker_sandbox.wire.step_report import StepReport as StepReport

PROTOCOL = 12
MAX_DATA_BYTES = 1024 * 1024
MAX_ARTIFACT_BYTES = 32 * 1024 * 1024
MAX_ARTIFACTS = 70
MAX_ARTIFACTS_BYTES = 224 * 1024 * 1024
"""Of one attempt, failure artifacts included. A correct runner stays well below, so one that exceeds it is killed."""
MAX_RETRY_AFTER_SECONDS = 86_400.0
BROWSER_CLOSE_SECONDS = 10.0
"""Time for the browser to close after Stop, and to write its profile. A runner of a profile is killed no earlier."""
MAX_BLOCKED = 1_000_000
"""The largest count of blocked requests of one kind that an attempt reports. A larger count is reported as this one."""
MAX_LIMITED_HOSTS = 2048
"""Hosts, and globs of hosts, that a runner needs permits for."""
MAX_WAITING_PERMITS = 1024
"""Permits that a runner has asked for and that are not answered yet."""
MAX_CHECKPOINT_BYTES = 8 * 1024 * 1024
"""Bytes of the cookies and storage of a profile, as the runner hands them over while it runs."""
MAX_LINES = 2000
"""Log lines per attempt. A runner has the same number for lines of its own, in its whole life."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=8192)]
FLAG_NAME = r"^[a-z][a-z0-9_.-]{0,62}\Z"
MAX_FLAGS = 200
Host = Annotated[str, Meta(min_length=1, max_length=255)]
Kind = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.-]{0,62}\Z")]
MediaType = Annotated[str, Meta(pattern=r"^[a-z0-9.+-]+/[A-Za-z0-9.+; =_-]{1,100}\Z")]
Level = Literal["debug", "info", "warning", "error"]
BrowserLevel = Level | Literal["off"]
"""Lowest level of the browser's own lines that a job's log has."""
RetireCause = Literal["jobs", "pages", "state", "tasks", "threads"]
"""It has served enough; pages stayed unclean; a module changed what cannot be undone, or left tasks or threads."""
BlockedKind = BlockedType | Literal["host"]
"""What a blocked request is counted as. `host`: one to a blocked host, of any type."""
BlockerCheck = Literal["failures", "always", "off"]
"""When a runner looks for a blocker by itself: when an attempt has failed, also when it succeeds, never."""
Outcome = Literal["succeeded", "failed", "blocked", "timed_out", "cancelled", "expired"]
"""expired: the handler did not begin before the job expired."""


# ---- supervisor to runner ----


class Boot(Message, frozen=True):
    """First message. What this runner is for, and how to start its browser. One descriptor: the read end of its failure
    pipe (`wire.request_failure`)."""

    protocol: int
    runner_id: Id
    worker_id: Id
    tenant_id: Id
    persistent: bool
    """True: the browser context is the profile in /profile; False: ephemeral, /profile is scratch."""
    pages: int
    browser: str
    """Path of the browser binary inside the runner's root."""
    default_timeout_seconds: float = 30.0
    recycle_seconds: float = 5.0
    """Deadline for recycling a used page. After it the page is closed and replaced."""
    failure_artifacts: bool = True
    """Keep what the page shows, wrote to its console and asked for when an attempt does not succeed."""
    options: PageOptions = PageOptions()
    """How the browser context is opened, for its whole life."""
    max_jobs: int = 1000
    """After this number of jobs the runner sends Retire."""
    memory_bytes: int = 0
    """What the runner's own process may allocate. Its data size limit may be higher. 0: that limit alone."""
    browser_log: BrowserLevel = "off"
    """Which console messages and uncaught errors of pages become log lines of their attempt."""
    limited_hosts: Annotated[tuple[Host, ...], Meta(max_length=MAX_LIMITED_HOSTS)] = ()
    """Hosts, and globs of hosts, that have a limit on requests: a request to one needs a permit (`PermitRequest`)."""
    blocker_rules: bytes = b""
    """The file of the blocker rules (`pageworker_sandbox.blockers.rules`). Empty: no page is checked."""
    spare: bool = False
    """True: the runner has no tenant until `Assign`. `tenant_id` is that of no tenant then."""
    restores: bool = False
    """The next message is a Restore."""


class Restore(Message, frozen=True):
    """The browser of this profile was killed the last time: put this checkpoint into the browser before Ready. One
    descriptor: a sealed memfd with the bytes of a CheckpointTaken."""

    taken_at: float
    """Unix seconds. What the profile's folder has been written later is newer."""


class Assign(Message, frozen=True):
    """A spare runner belongs to this tenant from now on, for the rest of its life. Once, and before any Module."""

    tenant_id: Id


class Module(Message, frozen=True):
    """A verified bundle. One descriptor: a sealed memfd with the zip. The runner imports it under a versioned name."""

    name: Name
    version: Name
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    entrypoint: Name


class Forget(Message, frozen=True):
    """Unload a module version as soon as no attempt uses it. A Run that was sent before keeps it until its end."""

    name: Name
    version: Name


class Run(Message, frozen=True):
    """One attempt of one job."""

    attempt_id: Id
    job_id: Id
    tenant_id: Id
    profile_id: str | None
    module: Name
    version: Name
    payload: bytes
    """JSON as it was pushed. MessagePack can be larger (9 bytes for the float in `1.5,`)."""
    attempt: int
    """Counts from 1."""
    timeout_seconds: float
    """The rest of the attempt's time budget."""
    trace_id: str
    flags: Annotated[dict[Annotated[str, Meta(pattern=FLAG_NAME)], bool], Meta(max_length=MAX_FLAGS)] = field(
        default_factory=dict
    )
    """Flags of the configuration, and whether each is on for this job."""
    begin_before: float | None = None
    """The handler must not begin later. Seconds of CLOCK_BOOTTIME, which all processes of a host share."""
    spans: bool = False
    """The job is sampled: the runner sends Spans before Done."""
    blocker_check: BlockerCheck = "failures"
    """When the runner looks for a blocker by itself."""
    blocker_threshold: float = 1.0
    """The sum of weights from which a blocker counts as recognised."""
    probe: ProbeWish = "no"
    trace: bool = False
    """Record a trace of the attempt, and keep it if the attempt does not succeed."""


class Cancel(Message, frozen=True):
    """Stop an attempt: cancel its handler, and answer with Done and this outcome."""

    attempt_id: Id
    outcome: Literal["timed_out", "cancelled"]


class Grant(Message, frozen=True):
    """The supervisor accepts the artifact of this offer: send it. A newer offer has replaced any earlier one."""

    attempt_id: Id
    number: int


class PermitAnswer(Message, frozen=True):
    """The answer to a PermitRequest, when the request may begin: send it now. `refused`: it would wait too long."""

    number: int
    refused: bool = False


class TakeCheckpoint(Message, frozen=True):
    """Hand over the cookies and the storage of the profile as they are now. The answer is a CheckpointTaken."""

    number: int


class Ping(Message, frozen=True):
    """Asks whether the event loop runs. The answer is a Pong with the same number."""

    number: int


class Stop(Message, frozen=True):
    """Close pages and browser, then exit 0. The browser writes its profile as it shuts down."""


# ---- runner to supervisor ----


class Hello(Message, frozen=True):
    """First message of the runner."""

    protocol: int


class Listener(Message, frozen=True):
    """One descriptor: a socket that listens on the runner's loopback. The egress gateway accepts on it."""

    port: int


class Ready(Message, frozen=True):
    """The pages are up and the process has confined itself. `evidence` is the errno name of each probe."""

    browser_version: Text
    pages: int
    evidence: dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]]


class Pong(Message, frozen=True):
    """The answer to Ping."""

    number: int


class Accepted(Message, frozen=True):
    """The handler of this attempt starts now, on this page."""

    attempt_id: Id
    page: int


class LogLine(Message, frozen=True):
    """A log line of a module or its pages, or of the runner (`attempt_id` is None)."""

    attempt_id: Id | None
    level: Level
    message: Text
    source: Literal["module", "browser"] = "module"
    fields: dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=1024)]] = field(
        default_factory=dict
    )


class PermitRequest(Message, frozen=True):
    """A page or a module sends a request to this host. It is held until the answer comes."""

    number: int
    host: Host
    tls: bool = False
    """Whether it goes through a tunnel of the gateway."""


class Offer(Message, frozen=True):
    """The attempt has an artifact of this size. It is sent after a Grant. A later offer replaces this one."""

    attempt_id: Id
    number: int
    bytes: Annotated[int, Meta(ge=0, le=MAX_ARTIFACT_BYTES)]


class ArtifactData(Message, frozen=True):
    """An artifact that was granted. One descriptor: a sealed memfd. `page_…`: of the page, for failure artifacts."""

    attempt_id: Id
    kind: Kind
    content_type: MediaType
    page_url: Annotated[str, Meta(max_length=MAX_BLOCKER_URL)] | None = None
    page_status: Annotated[int, Meta(ge=100, le=999)] | None = None


class CheckpointTaken(Message, frozen=True):
    """The answer to TakeCheckpoint, with the same number. One descriptor: a sealed memfd of at most
    MAX_CHECKPOINT_BYTES. It is empty if the runner could not read them. The supervisor keeps it and never parses it."""

    number: int


class Failure(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why an attempt failed, as the runner reports it."""

    type: Kind
    message: Annotated[str, Meta(max_length=4096)]
    retryable: bool
    retry_after_seconds: Annotated[float, Meta(ge=0, le=MAX_RETRY_AFTER_SECONDS)] | None = None
    """Set if the module asks for it: retry no sooner than this."""
    detail: msgspec.Raw = msgspec.Raw(b"\xc0")


class Spans(Message, frozen=True):
    """What the module and its page did in the handler. One per attempt, and only if its Run asked for it."""

    attempt_id: Id
    spans: Annotated[tuple[RunnerSpan, ...], Meta(max_length=MAX_SPANS)]
    left_out: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    """Spans beyond MAX_SPANS."""


class Done(Message, frozen=True):
    """The end of an attempt. `data` is MessagePack, at most MAX_DATA_BYTES."""

    attempt_id: Id
    outcome: Outcome
    data: msgspec.Raw = msgspec.Raw(b"\xc0")
    failure: Failure | None = None
    obstacle: Obstacle | None = None
    ran_seconds: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    blocked: dict[BlockedKind, Annotated[int, Meta(ge=1, le=MAX_BLOCKED)]] = field(default_factory=dict)
    """Requests that the browser did not send because of `block` and `block_hosts`, by kind."""
    profile: ProfileReport | None = None
    """What the module found last of the login of its profile."""


class Free(Message, frozen=True):
    """The page of the attempt is recycled or replaced: the runner can take one more job. `profile`: what the module's
    login probe has found, if one ran."""

    attempt_id: Id
    profile: ProfileReport | None = None


class Retire(Message, frozen=True):
    """The runner asks to be replaced after its jobs have ended."""

    cause: RetireCause
    reason: Text


KIB = 1024
TO_RUNNER: dict[int, MessageSpec] = {
    1: MessageSpec(Boot, 768 * KIB, 1),
    2: MessageSpec(Module, 4 * KIB, 1),
    3: MessageSpec(Forget, 4 * KIB),
    4: MessageSpec(Run, 320 * KIB),
    5: MessageSpec(Cancel, 4 * KIB),
    6: MessageSpec(Ping, 64),
    7: MessageSpec(Stop, 64),
    8: MessageSpec(Grant, 512),
    9: MessageSpec(SecretAnswer, 80 * KIB),
    10: MessageSpec(OnceAnswer, 8 * KIB),
    11: MessageSpec(InputFile, 4 * KIB, 1),
    20: MessageSpec(PermitAnswer, 64),
    21: MessageSpec(Assign, 512),
    40: MessageSpec(Restore, 64, 1),
    41: MessageSpec(TakeCheckpoint, 64),
}
TO_SUPERVISOR: dict[int, MessageSpec] = {
    64: MessageSpec(Hello, 64),
    65: MessageSpec(Listener, 64, 1),
    66: MessageSpec(Ready, 32 * KIB),
    67: MessageSpec(Pong, 64),
    68: MessageSpec(Accepted, 512),
    69: MessageSpec(LogLine, 64 * KIB),
    70: MessageSpec(ArtifactData, 16 * KIB, 1),
    71: MessageSpec(Done, MAX_DATA_BYTES + 64 * KIB),
    72: MessageSpec(Free, 32 * KIB),
    73: MessageSpec(Retire, 16 * KIB),
    74: MessageSpec(Offer, 512),
    75: MessageSpec(SecretRequest, 1 * KIB),
    76: MessageSpec(OnceRequest, 8 * KIB),
    90: MessageSpec(PermitRequest, 512),
    91: MessageSpec(Spans, 256 * KIB),
    92: MessageSpec(StepReport, 32 * KIB),
    110: MessageSpec(CheckpointTaken, 64, 1),
}
