"""Every setting with its type, unit and default. Each section is a Struct, so that a component can take its own alone.

The docstring below a field is its description in docs/configuration.md: unit, effect, what happens without a value.
"""

import socket
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from pageworker_sandbox.flavor import FlavorWish
from pageworker_sandbox.sandbox_rights import ESSENTIAL, RightName
from pageworker_sandbox.wire.messages import SECRET_NAME
from pageworker_supervisor.config.admission_settings import AdmissionSettings
from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.config.artifact_settings import ArtifactSettings as ArtifactSettings
from pageworker_supervisor.config.blocker_settings import BlockerPolicy, BlockerSettings, PolicyKind
from pageworker_supervisor.config.budget_settings import TenantBudget
from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.config.file_settings import FileSettings
from pageworker_supervisor.config.flag_settings import FlagSettings
from pageworker_supervisor.config.ingress_settings import IngressSettings
from pageworker_supervisor.config.limit_settings import Count, DomainSettings, LimitSettings, Rate
from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.profile_settings import ProfileSettings
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.redact import SecretText
from pageworker_supervisor.config.relative_paths import LOCATION
from pageworker_supervisor.config.rollout_settings import RolloutSettings
from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.config.secret_settings import SecretSettings
from pageworker_supervisor.config.section import Section
from pageworker_supervisor.config.status_page_settings import StatusPageSettings
from pageworker_supervisor.config.tracing_settings import TracingSettings
from pageworker_supervisor.contract.job import PROXY_NAME
from pageworker_supervisor.contract.type_names import describe_pattern

Seconds = Annotated[float, Meta(gt=0)]
BIND = describe_pattern(r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}\Z", "host:port, e.g. 127.0.0.1:9470")
CENTRAL = describe_pattern(r"^(redis|off|ssm:(/[A-Za-z0-9_.-]{1,200}){1,10})\Z", "redis, off or ssm:/PATH")
Label = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
Location = Annotated[str, LOCATION]


class RedisSettings(Section, frozen=True):
    """The Redis that holds the queue. Without `url` the worker starts an embedded Redis in its data folder."""

    url: str | None = None
    """Redis to use: redis://, unix://, redis+sentinel://host:port,host:port/service or redis+cluster://host:port,… With
    TLS: rediss://, rediss+sentinel:// or rediss+cluster://. Without it the worker starts an embedded Redis."""
    password_file: Path | None = None
    """File with the password of the user in `url`. Use it in place of a password in the URL. The file is read for each
    connection, so a new password needs no restart."""
    sentinel_password_file: Path | None = None
    """File with the password for the Sentinels. Their user is `sentinel_username` in `url`."""
    ingress_url: str | None = None
    """Redis with `pw:inbox` and `pw:jobs`, where producers push jobs. Default: the Redis at `url`."""
    ingress_password_file: Path | None = None
    """File with the password of the user in `ingress_url`."""
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z")] = "pw"
    """Prefix of all Redis keys. Workers with the same Redis and prefix share one queue."""
    shards: Annotated[int, Meta(ge=1, le=1024)] = 1
    """Number of parts that the queue is divided into, by tenant. More than 1 is useful on a Redis Cluster only. All
    workers need the same number."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 6399
    """Port of the embedded Redis on loopback. 0 takes any free port. The default avoids 6379, the port of a Redis
    that the system runs."""
    ca_file: Path | None = None
    """PEM file with the CA certificates for rediss://. Default: the certificates of the system."""


class ConfigSettings(Section, frozen=True):
    """The central configuration, which all workers share (docs/central-config.md)."""

    central: Annotated[str, Meta(pattern=CENTRAL)] = "redis"
    """Where it is. `redis`: in the Redis at `redis.url`. `ssm:/PATH`: in the AWS Parameter Store below this path;
    workers still agree on it in Redis. `off`: this worker reads its file and environment only."""
    poll_seconds: Seconds = 30.0
    """Seconds between two looks of a worker at the Parameter Store."""


class WorkerSettings(Section, frozen=True):
    """This worker."""

    id: Label = field(default_factory=lambda: socket.gethostname().split(".")[0][:48] or "worker")
    """Name of this worker in results, logs and metrics."""
    data_dir: Path | None = None
    """Folder for profiles, registry, artifacts and sockets. Default: /var/lib/pageworker for root, else
    ~/.local/share/pageworker."""
    user: Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_-]{0,31}\Z")] | None = None
    """Account that a worker becomes when it is started as root. `root`: it keeps user id 0, without capabilities.
    Default: the account pageworker, or the first of its reserved user ids if there is none (docs/trust.md)."""
    tags: tuple[Label, ...] = ()
    """Names of groups that this worker belongs to, at most 16. `workerctl drain --tag` drains all workers of one."""
    drain_seconds: Seconds = 30.0
    """Seconds that a drain or a stop waits for running jobs. Then the worker requeues them."""


class PoolSettings(Section, frozen=True):
    """Runners and their pages. `workerctl doctor --size` recommends both numbers for a host."""

    runners: Annotated[int, Meta(ge=1, le=64)] = 4
    """Maximum number of runners on this worker. Each runner is one browser with one browser context."""
    pages: Annotated[int, Meta(ge=1, le=64)] = 4
    """Pages per browser context. Each page runs one job at a time."""
    spares: Annotated[int, Meta(ge=0, le=16)] = 0
    """Runners that are started in advance and belong to no tenant. They reach no host, and are beside `runners`. The
    first job of a browser context without a profile takes one over and does not wait for the start of a browser. A
    spare that is not used takes about 150 MB of memory and no processor time."""
    max_jobs: Count = 1000
    """Number of jobs after which a runner is replaced."""
    max_age_seconds: Seconds = 21_600.0
    """Seconds after which a runner is replaced, with its driver and its browser, once its jobs have ended."""
    recycle_seconds: Seconds = 5.0
    """Maximum seconds to clean a page after a job, and the same again to replace a page that was not clean by then."""
    start_seconds: Seconds = 60.0
    """Maximum seconds for the start of a runner. Then the start counts as failed."""
    idle_seconds: Seconds = 300.0
    """Seconds without a job after which a runner is closed."""
    ephemeral_seconds: Seconds = 3600.0
    """Seconds after which a runner without a profile takes no more jobs and is replaced. So cookies and storage of an
    ephemeral browser context live no longer than this and the jobs that run then, however steady the load is."""
    memory_bytes: Annotated[int, Meta(ge=256 * 1024 * 1024)] | None = None
    """Bytes of memory that all runners together may use. A runner that does not fit beside those that are up replaces
    the idle one that was used least recently; while there is none, its jobs wait. Default: 80 % of the memory of the
    host, or of the worker's cgroup."""
    residency_seconds: Seconds = 2.0
    """Minimum seconds that a busy runner stays up before another context may replace it. If five times its start time
    is longer, that counts instead, up to 20 s. An idle runner can be replaced after 0.25 s. If its context comes back
    after pauses, an idle runner stays up for twice its start time."""
    kill_grace_seconds: Seconds = 3.0
    """Seconds that a cancelled job has to stop. Then the runner is killed. A runner that does not end a timed-out job
    by itself is killed after twice this time. A runner of a profile has 10 s more to close its browser."""


class BrowserSettings(Section, frozen=True):
    """The browser."""

    executable: Path | None = None
    """Path of Chromium: its full binary or its headless shell. Then this worker has no other. Default: the first
    binary found of each."""
    flavor: FlavorWish = "auto"
    """The browser of modules that ask for none: `full`, `shell` (the headless shell) or `auto`. `auto` is the shell for
    jobs without a profile and the full browser for jobs with one, if this worker has both."""


class SandboxSettings(Section, frozen=True):
    """The sandbox of each runner, and its limits."""

    require: tuple[RightName, ...] = ESSENTIAL
    """Rights that the host must give to sandboxes (docs/operations.md). The worker refuses to start without one of
    them, and uses no runner that lacks one. A list without those of the default is a mistake."""
    first_uid: Annotated[int, Meta(ge=1000, le=4_294_900_000)] | None = None
    """First of the user ids for the gateway, the dialer, each runner and the embedded Redis. Used only if the worker
    starts as root, or with CAP_SETUID and CAP_SETGID. Default: a range that is free on this host, the same after each
    restart (docs/trust.md)."""
    uids: Annotated[int, Meta(ge=9, le=65_536)] = 500
    """Number of these user ids. At least `pool.runners`, `pool.spares` and 8 more."""
    python: Path | None = None
    """Python interpreter of runners. Default: chosen by the worker."""
    memory_bytes: Annotated[int, Meta(ge=256 * 1024 * 1024)] = 3 * 1024**3
    """Bytes of memory per runner: the proportional set size of its processes, and its tmpfs. A runner above it is
    killed, and its job ends with error `memory_limit`."""
    scratch_bytes: Annotated[int, Meta(ge=16 * 1024 * 1024)] = 512 * 1024**2
    """Bytes per tmpfs of a runner: /tmp, /dev/shm, and the browser's folder if the job has no profile. Never more
    than a quarter of `memory_bytes`. A full tmpfs ends the job with error `disk_limit`."""
    scratch_files: Annotated[int, Meta(ge=1000)] = 32_768
    """Files and folders per tmpfs of a runner."""
    processes: Annotated[int, Meta(ge=64)] = 1000
    """Processes and threads per runner. A runner at the limit cannot start more, and its job ends with error
    `process_limit`."""


class EgressSettings(Section, frozen=True):
    """What all runners may reach. A job reaches a host only if tenant and module allow it too."""

    hosts: dict[str, str] = {}
    """Fixed addresses: host name to `address` or `address:port`. This is the only way to a private address."""
    ports: tuple[int, ...] = (80, 443)
    """Ports that runners may connect to."""
    proxy_ports: tuple[int, ...] = ()
    """Ports on which the upstream proxies of `[proxies]` may listen. Default: none. Workers enforce it from their start
    on."""
    proxy_ca: Path | None = None
    """PEM file with the CA certificates of `https://` upstream proxies, beside those of the system."""
    connect_seconds: Seconds = 10.0
    """Maximum seconds to connect to a host. Then the request fails with `ERR_CONNECTION_TIMED_OUT`."""
    request_wait_seconds: Annotated[float, Meta(gt=0, le=600)] = 30.0
    """Maximum seconds that a request waits for the `requests_per_second` or the `request_concurrency` of its domain. A
    request that would wait longer is refused with the reason `rate_limited`."""
    access_log: Literal["off", "sampled", "all"] = "off"
    """Whether each finished request and tunnel, or a share of them, has a line `egress request` in the log."""
    access_log_sample: Annotated[float, Meta(gt=0, le=1)] = 0.01
    """Share of the requests that `access_log = "sampled"` logs."""
    budget_bytes: Count | None = None
    """Bytes that all attempts of a job together may send and receive. A job that wants more ends with error
    `egress_budget`. The smallest budget of this setting, the tenant and the module counts. Default: no limit."""
    budget_requests: Count | None = None
    """The same for requests. A tunnel, which carries any number of `https://` requests, counts as one."""


class JobSettings(Section, frozen=True):
    """Defaults and limits of job fields."""

    timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """Seconds per attempt if neither the job nor its module sets `timeout_seconds`. Time in the queue does not
    count."""
    max_retries: Annotated[int, Meta(ge=0, le=20)] = 3
    """Retries of a job that does not set `max_retries`."""
    max_delay_seconds: Annotated[float, Meta(gt=0, le=31_536_000)] = 31_536_000
    """Maximum seconds that `delay_seconds` and `not_before` may lie in the future, and `expires_at` after them. A job
    beyond it is rejected."""
    cancel_memory_seconds: Annotated[int, Meta(ge=60, le=604_800)] = 86_400
    """Seconds for which the queue remembers the cancellation of a job that it does not know yet. If the job comes
    within that time, it ends as `cancelled`."""
    retry_base_seconds: Seconds = 1.0
    """Upper bound, in seconds, of the delay before the first retry. The bound doubles with each retry. The delay is
    random between 0 and the bound."""
    retry_cap_seconds: Seconds = 300.0
    """Highest bound of that delay in seconds. A delay that the module asks for is added."""


class ResultSettings(Section, frozen=True):
    """How long results and dead letters are kept."""

    ttl_seconds: Count = 86_400
    """Seconds for which the key of a result is kept. For the same time a second push of its `job_id` gets the stored
    result."""
    stream_length: Count = 100_000
    """Number of newest results in each result stream."""
    dead_length: Count = 100_000
    """Number of dead letters per shard."""
    dead_bytes: Annotated[int, Meta(ge=1024 * 1024)] = 256 * 1024 * 1024
    """Bytes of all dead letters per shard. Above it, the oldest letters of the tenant with the most bytes are
    deleted."""
    rejected_length: Count = 10_000
    """Number of results of rejected jobs per tenant. Above it, the tenant's oldest are deleted before `ttl_seconds`."""
    rejected_bytes: Annotated[int, Meta(ge=1024 * 1024)] = 32 * 1024 * 1024
    """Bytes of these results per tenant. Above it, the tenant's oldest are deleted before `ttl_seconds`."""
    dead_text_bytes: Annotated[int, Meta(ge=256)] = 16 * 1024
    """Bytes kept of a text that is not a valid job. Its full length and SHA-256 are kept too."""


class AuditSettings(Section, frozen=True):
    """The log of who changed what."""

    key_file: Path | None = None
    """File with the key of the log, readable by its owner alone, and no link. All hosts of a fleet need the same.
    Default: `audit.key` in the data folder, which is made if it is missing."""
    keep_days: Count = 400
    """Days for which records are kept. A record of the log says what was removed."""


class CallbackSettings(Section, frozen=True):
    """Delivery of callbacks."""

    timeout_seconds: Annotated[float, Meta(gt=0, le=15)] = 10.0
    """Seconds per try, from the connection to the status of the response."""
    max_seconds: Seconds = 86_400.0
    """Seconds after the result during which delivery is tried again. Then the callback has failed."""
    concurrency: Count = 64
    """Callbacks sent at the same time by this worker."""
    host_concurrency: Count = 16
    """Callbacks sent at the same time to one receiver."""


class TenantSettings(Section, frozen=True):
    """One tenant, or a glob of tenants. The longest matching key wins."""

    weight: Annotated[float, Meta(ge=0.001, le=1000)] = 1.0
    """Share of the pages relative to other tenants while jobs of several tenants wait, by the time that jobs take."""
    concurrency: Count = 1000
    """Jobs of the tenant that run at the same time on all workers. Further jobs wait."""
    rate_per_second: Rate | None = None
    """Jobs of the tenant that start per second on all workers. Default: no limit."""
    burst: Count = 100
    """Jobs that may start at once before `rate_per_second` slows them down."""
    backlog_jobs: Count = 1_000_000
    """Jobs of the tenant without a result: those that wait and those that run. A further job is rejected with error
    `queue_full`. The event `queue_limit` tells the tenant at 80 %."""
    backlog_bytes: Annotated[int, Meta(ge=1024 * 1024)] = 1024**3
    """Bytes of these jobs as JSON. A further job is rejected with error `queue_full`."""
    budget: TenantBudget = TenantBudget()
    """How much all jobs of the tenant may use per day and per month."""
    callback_allow: tuple[str, ...] = ()
    """Globs of URLs that results may be sent to, e.g. `https://n8n.example/webhook*`. `*` matches within its part of
    the URL. Without a port: the default port of the scheme; `:*`: any port. Without a path: any path. Default: no
    callbacks."""
    callback_secret_file: Path | None = None
    """File with the HMAC key that signs callbacks, at least 16 bytes. White space around the key is ignored. The
    file is read again when it changes. Without it, jobs with a callback are rejected."""
    callback_secret: Annotated[str, Meta(pattern=SECRET_NAME)] | None = None
    """Name of the secret that signs callbacks, in place of a file. `[secrets]` says where it is stored, for each tenant
    its own. At least 16 bytes."""
    callback_headers: dict[str, SecretText] = {}
    """Headers that the tenant's callbacks carry, e.g. `{"X-Worker-Token" = "…"}` for an n8n that asks for header
    auth. Their values are never shown. Every receiver in `callback_allow` gets them."""
    egress: tuple[str, ...] = ("*",)
    """Globs of hosts. A job reaches a host only if both its tenant and its module allow it."""
    block: tuple[str, ...] = ()
    """Types of requests that the browser does not send, for speed: `image`, `media`, `font`. A `block` of the module,
    the profile or the job replaces it ([sdk.md](sdk.md#blocked-requests))."""
    block_hosts: tuple[str, ...] = ()
    """Hosts, or globs of hosts, to which the browser sends no request, for speed. They are replaced in the same way.
    They are no boundary: `egress` is."""
    proxy: Annotated[str, Meta(pattern=PROXY_NAME)] | None = None
    """Proxy policy of jobs whose `proxy` and whose module name none. Default: no proxy."""
    egress_budget_bytes: Count | None = None
    """As `egress.budget_bytes`, for each job of the tenant. The smallest one counts."""
    egress_budget_requests: Count | None = None
    """As `egress.budget_requests`, for each job of the tenant. The smallest one counts."""
    modules: tuple[str, ...] = ("*",)
    """Globs of module names that the tenant may run, as far as the modules and the keys that signed them allow it."""
    proxy_required: bool = False
    """Whether `direct` is refused as `proxy` of a job or a module."""
    pins: dict[str, str] = {}
    """Versions of modules that jobs of the tenant get, e.g. `{ "shop.product" = "1.4.2" }`. A version in the job's own
    `endpoint_module` goes before. Channels and rollouts do not change a pin."""
    blockers: dict[PolicyKind, BlockerPolicy] = {}
    """What follows if a site blocks a job of the tenant, by kind of blocker."""


class HttpSettings(Section, frozen=True):
    """The operator's HTTP endpoints."""

    bind: Annotated[str, Meta(pattern=BIND)] = "127.0.0.1:9470"
    """Address and port of `/healthz`, `/readyz`, `/metrics` and `/status`. They have no password."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names that requests may use, e.g. `worker-1.example` or `*.svc.example`. IP addresses, `localhost` and
    the host in `bind` are always allowed. Requests with other names get a 421."""


class Settings(Section, frozen=True):
    """The whole configuration. A TOML table has the name of its field here."""

    redis: RedisSettings = RedisSettings()
    config: ConfigSettings = ConfigSettings()
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    pool: PoolSettings = PoolSettings()
    admission: AdmissionSettings = AdmissionSettings()
    browser: BrowserSettings = BrowserSettings()
    sandbox: SandboxSettings = SandboxSettings()
    profiles: ProfileSettings = ProfileSettings()
    egress: EgressSettings = EgressSettings()
    proxies: dict[str, ProxySettings] = {}
    jobs: JobSettings = JobSettings()
    results: ResultSettings = ResultSettings()
    audit: AuditSettings = AuditSettings()
    modules: ModuleSettings = ModuleSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    files: FileSettings = FileSettings()
    blockers: BlockerSettings = BlockerSettings()
    callbacks: CallbackSettings = CallbackSettings()
    secrets: SecretSettings = SecretSettings()
    tenants: dict[str, TenantSettings] = field(default_factory=lambda: {"*": TenantSettings()})
    domains: dict[str, DomainSettings] = field(default_factory=lambda: {"*": DomainSettings()})
    flags: dict[str, FlagSettings] = {}
    limits: LimitSettings = LimitSettings()
    ingress: IngressSettings = IngressSettings()
    scaling: ScalingSettings = ScalingSettings()
    rollouts: RolloutSettings = RolloutSettings()
    http: HttpSettings = HttpSettings()
    api: ApiSettings = ApiSettings()
    status_page: StatusPageSettings = StatusPageSettings()
    checks: CheckSettings = CheckSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
