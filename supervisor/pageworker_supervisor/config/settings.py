"""Every setting, with its default and its unit. TOML tables have the names of the fields of `Settings`."""

import socket
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from pageworker_supervisor.config.redact import redacted
from pageworker_supervisor.contract.type_names import describe_pattern

Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
BIND = describe_pattern(r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}\Z", "host:port, e.g. 127.0.0.1:9470")
Label = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections."""

    def __repr__(self) -> str:
        # Settings end up in logs and tracebacks; a Redis URL has its password inside.
        return f"{type(self).__name__}({redacted(self)})"


class RedisSettings(Section, frozen=True):
    """Where jobs come from. Without `url` the daemon starts a Redis of its own in the data folder."""

    url: str | None = None
    """redis://, rediss://, redis+sentinel://host:port,host:port/service, redis+cluster://host:port,…"""
    password_file: Path | None = None
    """File with the password of the user in `url`, in place of one in the URL. Read again for each connection: a new
    password needs no restart."""
    sentinel_password_file: Path | None = None
    """The same for the Sentinels, whose user is `sentinel_username` in `url`."""
    ingress_url: str | None = None
    """Where `pw:inbox` and `pw:jobs` are, if not at `url`."""
    ingress_password_file: Path | None = None
    """The same for `ingress_url`."""
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z")] = "pw"
    shards: Annotated[int, Meta(ge=1, le=1024)] = 1
    port: Annotated[int, Meta(ge=0, le=65535)] = 6399
    """Loopback port of the embedded Redis; 0: any free one. Not 6379, where a system's own Redis would be."""
    ca_file: Path | None = None


class WorkerSettings(Section, frozen=True):
    """This worker."""

    id: Label = field(default_factory=lambda: socket.gethostname().split(".")[0][:48] or "worker")
    tags: tuple[Label, ...] = ()
    data_dir: Path | None = None
    """Profiles, registry, artifacts, sockets. Default for root: /var/lib/pageworker, else
    ~/.local/share/pageworker."""
    drain_seconds: Seconds = 30.0


class PoolSettings(Section, frozen=True):
    """Runners and their pages."""

    runners: Annotated[int, Meta(ge=1, le=64)] = 4
    """Browser contexts open at once on this worker; the egress gateway serves at most so many."""
    pages: Annotated[int, Meta(ge=1, le=64)] = 4
    """Pages a context."""
    max_jobs: Count = 1000
    """A runner is replaced after so many jobs."""
    recycle_seconds: Seconds = 5.0
    start_seconds: Seconds = 60.0
    idle_seconds: Seconds = 300.0
    """An idle runner is closed after so long."""
    residency_seconds: Seconds = 2.0
    """Minimum seconds a busy runner stays up before another context may replace it; five times its start where that is
    longer (up to 20 s). An idle runner can be replaced after 0.25 s, or twice its start if its context comes back."""
    kill_grace_seconds: Seconds = 3.0
    """After a cancel, before the runner is killed."""


class BrowserSettings(Section, frozen=True):
    """Which browser."""

    executable: Path | None = None
    """Default: the first found of Chromium's full binary and headless shell."""


class SandboxSettings(Section, frozen=True):
    """The wall."""

    first_uid: Annotated[int, Meta(ge=1000, le=4_294_900_000)] | None = None
    """Where the daemon runs as root, the first of the user ids that its gateway, the gateway's dialer, each of its
    runners and its own Redis get. Default: a range that is free on this host, the same after each restart
    (docs/trust.md)."""
    uids: Annotated[int, Meta(ge=9, le=65_536)] = 500
    """How many of them."""
    python: Path | None = None
    """Interpreter for runners. Default: found by itself."""
    memory_bytes: Annotated[int, Meta(ge=256 * 1024 * 1024)] = 3 * 1024**3
    """Memory of a runner, past which it is killed: its processes (proportional set size) and its tmpfs together."""
    scratch_bytes: Annotated[int, Meta(ge=16 * 1024 * 1024)] = 512 * 1024**2
    """Size of each tmpfs of a runner: /tmp, /dev/shm, and the browser's folder where a job has no profile. At most a
    quarter of `memory_bytes`, whatever stands here."""
    scratch_files: Annotated[int, Meta(ge=1000)] = 32_768
    """Files and folders in each tmpfs of a runner."""
    processes: Annotated[int, Meta(ge=64)] = 1000
    """Threads and processes of one runner."""


class ProfileSettings(Section, frozen=True):
    """Persistent browser profiles. One that is larger is not opened, and its runner is killed: error `disk_limit`."""

    max_bytes: Annotated[int, Meta(ge=16 * 1024 * 1024)] = 2 * 1024**3
    """Space of one profile on disk."""
    max_files: Annotated[int, Meta(ge=1000)] = 50_000
    """Files and folders of one profile."""


class EgressSettings(Section, frozen=True):
    """What all runners may reach at most."""

    hosts: dict[str, str] = {}
    """Fixed addresses: host name to `address` or `address:port`. Such an address may be private."""
    ports: tuple[int, ...] = (80, 443)
    connect_seconds: Seconds = 10.0


class JobSettings(Section, frozen=True):
    """Defaults of job fields."""

    timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    max_retries: Annotated[int, Meta(ge=0, le=20)] = 3
    max_delay_seconds: Annotated[float, Meta(gt=0, le=31_536_000)] = 31_536_000
    """`delay_seconds` and `not_before` are at most so far ahead, and `expires_at` at most so long after them."""
    cancel_memory_seconds: Annotated[int, Meta(ge=60, le=604_800)] = 86_400
    """A cancelled job that was not taken in yet is remembered so long: should it come, it ends as `cancelled`."""
    retry_base_seconds: Seconds = 1.0
    retry_cap_seconds: Seconds = 300.0


class ResultSettings(Section, frozen=True):
    """How long results stay."""

    ttl_seconds: Count = 86_400
    stream_length: Count = 100_000
    """Newest results kept in each result stream."""
    dead_length: Count = 100_000
    """Dead letters kept in each shard."""
    dead_bytes: Annotated[int, Meta(ge=1024 * 1024)] = 256 * 1024 * 1024
    """Bytes of them together. What is too much goes from the tenant that has most, its oldest first."""
    dead_text_bytes: Annotated[int, Meta(ge=256)] = 16 * 1024
    """So much is kept of a text that is no job, with its whole length and SHA-256."""


class ModuleSettings(Section, frozen=True):
    """Where modules come from and whom we believe."""

    registry: str | None = None
    """Folder or URL. Default: `registry` in the data folder."""
    trusted_keys: tuple[str, ...] = ()
    """Minisign public keys (the base64 line), or paths of .pub files."""
    channel: Label = "stable"
    refresh_seconds: Seconds = 5.0


class ArtifactSettings(Section, frozen=True):
    """Where screenshots and HTML go."""

    url: str | None = None
    """file:///…, s3://…, gs://…, az://…. Default: `artifacts` in the data folder."""
    on_failure: bool = True
    """Keep a screenshot and the HTML of the page when a job does not succeed."""
    waiting_bytes: Annotated[int, Meta(ge=64 * 1024 * 1024)] = 128 * 1024**2
    """Bytes of artifacts in the daemon that are not stored yet, of all runners together; one tenant has half at most.
    A job that leaves more waits."""
    keep_days: Annotated[float, Meta(gt=0, le=36_500)] = 14.0
    """Local artifacts older than this are deleted. In an object store the bucket's lifecycle rule does it."""


class CallbackSettings(Section, frozen=True):
    """Delivery of callbacks."""

    timeout_seconds: Annotated[float, Meta(gt=0, le=15)] = 10.0
    """For one try, from connecting to the answer's status."""
    max_seconds: Seconds = 86_400.0
    """No try later than so long after the result."""
    concurrency: Count = 64
    host_concurrency: Count = 16


class TenantSettings(Section, frozen=True):
    """One tenant, or a glob of tenants: the longest matching key wins."""

    weight: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    concurrency: Count = 1000
    rate_per_second: Annotated[float, Meta(gt=0)] | None = None
    burst: Count = 100
    callback_allow: tuple[str, ...] = ()
    """URL globs that results may be POSTed to, e.g. `https://n8n.example/webhook*`; `*` matches within its part.
    Without a port: the scheme's own; `:*`: any. Without a path: any path."""
    callback_secret_file: Path | None = None
    """File with the HMAC key, at least 16 bytes; white space around it does not count, and it is read again when
    it changes. Without it callbacks of this tenant are refused."""
    egress: tuple[str, ...] = ("*",)
    """Host globs. A job reaches what both the tenant and the module allow."""


class DomainSettings(Section, frozen=True):
    """Limits of one domain, or a glob of domains: the longest matching key wins.

    A job counts against the host of its `payload.url`, as a browser writes it: `münchen.test`, `MÜNCHEN.test.`
    and `xn--mnchen-3ya.test` are one domain. A job's field `domain` replaces it where the URL's host is that domain
    or below it. A `domain` that the URL does not confirm counts in a domain of the job's tenant alone, with the same
    limits. A URL whose host no browser accepts is a domain of its own."""

    concurrency: Count = 1000
    rate_per_second: Annotated[float, Meta(gt=0)] | None = None
    burst: Count = 100


class HttpSettings(Section, frozen=True):
    """The operator's endpoints."""

    bind: Annotated[str, Meta(pattern=BIND)] = "127.0.0.1:9470"
    allowed_hosts: tuple[str, ...] = ()
    """Names by which it may be asked, e.g. `worker-1.example` or `*.svc.example`, beside IP addresses, `localhost` and
    the host in `bind`."""


class LogSettings(Section, frozen=True):
    """Logs go to stdout."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Settings(Section, frozen=True):
    """The whole configuration."""

    redis: RedisSettings = RedisSettings()
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    pool: PoolSettings = PoolSettings()
    browser: BrowserSettings = BrowserSettings()
    sandbox: SandboxSettings = SandboxSettings()
    profiles: ProfileSettings = ProfileSettings()
    egress: EgressSettings = EgressSettings()
    jobs: JobSettings = JobSettings()
    results: ResultSettings = ResultSettings()
    modules: ModuleSettings = ModuleSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    callbacks: CallbackSettings = CallbackSettings()
    tenants: dict[str, TenantSettings] = field(default_factory=lambda: {"*": TenantSettings()})
    domains: dict[str, DomainSettings] = field(default_factory=lambda: {"*": DomainSettings()})
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
