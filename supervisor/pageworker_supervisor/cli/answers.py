"""What commands print with `--json`, where no other package has a type for it. Part of the contract with scripts."""

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from pageworker_sandbox.signing import TrustedKey
from pageworker_supervisor.contract.job import JobRef, Priority
from pageworker_supervisor.registry.bundle_difference import FileDifference


class PushedJob(Struct, frozen=True):
    """Of `submit` without --wait: the job that was pushed."""

    job_id: str
    tenant_id: str


class DeadLetterAnswer(Struct, frozen=True, kw_only=True):
    """A dead letter. `job`: the text as it was pushed. `at_ms`: milliseconds since the epoch. `detail`: the last error
    and the attempts."""

    id: str
    job_id: str | None
    tenant_id: str | None
    reason: str
    at_ms: int
    retryable: bool
    job: str
    detail: Any


class PurgedLetters(Struct, frozen=True):
    """Of `dead purge`: how many dead letters were deleted."""

    purged: int


class ValidSettings(Struct, frozen=True):
    """Of `config check`. Workers with equal settings have the same fingerprint."""

    valid: Literal[True]
    fingerprint: str


class ValidListing(Struct, frozen=True):
    """Of `config validate`: how many settings the file has."""

    valid: Literal[True]
    settings: int


class ListedVersion(Struct, frozen=True):
    """One version of the central configuration. `at`: RFC 3339."""

    version: int
    at: str
    who: str
    why: str


class ConfigVersions(Struct, frozen=True):
    """Of `config history`. `workers`: the version that each worker runs."""

    versions: tuple[ListedVersion, ...]
    workers: dict[str, int]


class KeyPairAnswer(Struct, frozen=True, kw_only=True):
    """A key pair. `secret_file`, `protection` None: the secret key is not there."""

    name: str
    id: str
    public_key: str
    public_file: str
    secret_file: str | None
    protection: Literal["password", "open", "unreadable"] | None


class PublicKeyAnswer(Struct, frozen=True):
    """Of `key show`: a public key as one line."""

    id: str
    public_key: str


class PackedAnswer(Struct, frozen=True):
    """Of `module pack`: the bundle that was written. `sha256` is hex."""

    file: str
    name: str
    version: str
    sha256: str


class SignedAnswer(Struct, frozen=True):
    """Of `module sign`: the signature that was written, and the id of its key."""

    file: str
    name: str
    version: str
    key: str


class SignedRulesAnswer(Struct, frozen=True):
    """Of `blockers sign` and `blockers verify`: the file, how many rules it has, and the id of its key."""

    file: str
    version: str
    serial: int
    expires: dt.datetime
    rules: int
    key: str


class TrustedKeyAnswer(Struct, frozen=True, kw_only=True):
    """Of `key trusted`: a key, what it may sign, and why it is revoked. `label`: its name in the trust file."""

    key: str
    label: str = ""
    state: Literal["valid", "expired", "revoked"]
    modules: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    may_index: bool = False
    may_rules: bool = False
    not_after: dt.datetime | None = None
    reason: str = ""


class RevokedAnswer(Struct, frozen=True):
    """Of `key revoke`: the id of the key, and the entry that was added to the file."""

    key: str
    file: str
    at: dt.datetime
    reason: str


class SignerAnswer(Struct, frozen=True):
    """A key that signed a bundle, and what it may sign. `label`: its name in the trust file."""

    key: str
    label: str
    modules: tuple[str, ...]
    tenants: tuple[str, ...]
    channels: tuple[str, ...]
    not_after: dt.datetime | None

    @classmethod
    def of(cls, key: TrustedKey) -> "SignerAnswer":
        """The answer about this key."""
        scope = key.scope
        return cls(key.public.name, key.label, scope.modules, scope.tenants, scope.channels, scope.not_after)


class ProvenanceAnswer(Struct, frozen=True):
    """What a verified statement of provenance says."""

    builder: str
    built_at: dt.datetime
    sources_sha256: str
    key: str


class VerifiedAnswer(Struct, frozen=True):
    """Of `module verify`: what a worker would accept. `signers`: the keys whose signatures count."""

    name: str
    version: str
    sha256: str
    description: str
    signers: tuple[SignerAnswer, ...] = ()
    expires: dt.datetime | None = None
    provenance: ProvenanceAnswer | None = None
    """None: there is no statement of provenance beside the bundle."""


class ReproducedAnswer(Struct, frozen=True):
    """Of `module reproduce`: `sha256` of the bundle, and of what the folder gives."""

    identical: bool
    sha256: str
    rebuilt_sha256: str
    differences: tuple[FileDifference, ...] = ()


class PublishedAnswer(Struct, frozen=True):
    """Of `module publish` and `module channel set`, with serial and expiry of the new index.

    `before`: what the channel pointed to; None: nothing, or the command does not say. `dry_run`: nothing was changed.
    """

    name: str
    version: str
    channel: str
    serial: int
    expires: dt.datetime
    before: str | None = None
    dry_run: bool = False


class YankedAnswer(Struct, frozen=True):
    """Of `module yank`, with serial and expiry of the new index."""

    name: str
    version: str
    yanked: Literal[True]
    serial: int
    expires: dt.datetime


class IndexAnswer(Struct, frozen=True):
    """Of `module refresh-index`: the new index."""

    serial: int
    expires: dt.datetime


class RedisAccess(Struct, frozen=True):
    """Of `redis password`: how a client reaches the embedded Redis."""

    user: str
    password: str
    host: str
    port: int


SecretState = Literal["ok", "missing", "refused", "unusable", "away", "not_checked"]
"""`unusable`: the value is there, and its use cannot have it. `not_checked`: the setting is a glob."""


class BackendAnswer(Struct, frozen=True, kw_only=True):
    """The secret backend. `kind` None: there is none. `login_ends_in_seconds`: unless a worker renews it; None: it does
    not end. `reason`: what is wrong."""

    kind: str | None
    state: Literal["ok", "refused", "away"]
    reason: str = ""
    login_ends_in_seconds: float | None = None


class CheckedSecret(Struct, frozen=True, kw_only=True):
    """One use of a secret, never its value. `tenant_id` and `name` are globs for `not_checked`. `lease_seconds`: how
    long a value may be used; None: it is read at each use, or there is none."""

    tenant_id: str
    name: str
    setting: str
    state: SecretState
    reason: str = ""
    lease_seconds: float | None = None


class SecretsAnswer(Struct, frozen=True, kw_only=True):
    """Of `secrets check`. `central_read` False: the central configuration could not be read, so what it names is not
    checked."""

    backend: BackendAnswer
    secrets: tuple[CheckedSecret, ...]
    central_read: bool


CancelWord = Literal["cancelled", "cancelling", "finished", "unknown"]


class CancelOutcome(Struct, frozen=True):
    """Of `cancel`. `cancelled`, `cancelling`: the job ends, or has ended, as `cancelled`. `finished`: it had ended
    before. `known` False: the queue has no such job; with `cancelling`, it is cancelled if it is pushed later."""

    job_id: str
    tenant_id: str
    outcome: CancelWord
    known: bool = True

    @property
    def ref(self) -> JobRef:
        """The job's reference."""
        return JobRef(self.tenant_id, self.job_id)


class JobRow(Struct, frozen=True, kw_only=True):
    """Of `jobs list`: one job. What only jobs without a result have is None, or 0, for an ended one.

    `state`: a state of the queue, or `ended`; then `status` is that of the result. `age_seconds`: since the first push;
    for an ended job, since its end. `why`: why it waits. `error`: the type of the result's error. `blocker`: the kind
    of what blocked the page.
    """

    job_id: str
    tenant_id: str
    module: str | None
    state: str
    status: str | None = None
    priority: Priority | None = None
    profile_id: str | None = None
    domain: str | None = None
    worker_id: str | None = None
    crashes: int = 0
    attempts_used: int = 0
    due_at_ms: int | None = None
    age_seconds: float = 0.0
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    why: str | None = None
    error: str | None = None
    blocker: str | None = None

    @property
    def ref(self) -> JobRef:
        """The job's reference."""
        return JobRef(self.tenant_id, self.job_id)


class JobTotals(Struct, frozen=True, kw_only=True):
    """Of `jobs list --count-only`. Ended jobs count under the status of their result.

    `complete` False: there are more jobs than were looked at.
    """

    total: int
    by_state: dict[str, int]
    complete: bool


class BulkJob(Struct, frozen=True, kw_only=True):
    """One job of a bulk action. `found`: its state, or the reason of its dead letter. `outcome` None: not tried."""

    job_id: str
    tenant_id: str
    found: str
    letter_id: str | None = None
    outcome: str | None = None

    @property
    def ref(self) -> JobRef:
        """The job's reference."""
        return JobRef(self.tenant_id, self.job_id)


class BulkAnswer(Struct, frozen=True, kw_only=True):
    """Of `jobs cancel` and `jobs retry`: exactly these jobs. `done` False: a dry run, nothing was changed.

    `digest`: 16 hex digits over the names of the jobs. The same set has the same digest.
    """

    action: Literal["cancel", "retry"]
    done: bool
    number: int
    digest: str
    jobs: tuple[BulkJob, ...]


class JobChange(Struct, frozen=True, kw_only=True):
    """Of `jobs follow`: a state of the job, as one line. `at`: RFC 3339, by the clock of this host."""

    at: str
    job_id: str
    tenant_id: str
    state: str
    status: str | None = None
    worker_id: str | None = None
    attempts_used: int = 0
    why: str | None = None


class FollowedResult(Struct, frozen=True):
    """Of `results --follow`: one line. `after` continues behind this result: `results --follow --after TEXT`."""

    after: str
    result: Annotated[msgspec.Raw, Meta(extra_json_schema={"$ref": "#/$defs/Result"})]


class LogLineAnswer(Struct, frozen=True):
    """Of `logs`: one line. Lines have further fields, such as `job`: see docs/operations.md. `ts`: RFC 3339."""

    ts: str
    level: str
    message: str
