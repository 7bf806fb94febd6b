"""Generates the JSON Schema of what each command prints with `--json`. `cli/generate.py` writes the files.

They are in the folder `schemas`, and `workerctl schema COMMAND` prints them. They are generated from the Structs
that the commands print, so a command with `--json` has a row in `PRINTED`.
"""

import importlib
from importlib import resources
from typing import Any

import msgspec

from pageworker_supervisor.contract.schema import DIALECT, portable, without_raw_defaults

ROOT = "pageworker_supervisor."
LIST = "[]"
ANYTHING = "any"

PRINTED: dict[str, tuple[str, ...]] = {
    "audit list": ("audit.record:AuditLine[]",),
    "audit verify": ("audit.chain:ChainReport",),
    "batch cancel": ("cli.batch_change:BatchChange",),
    "batch close": ("cli.batch_change:BatchChange",),
    "batch list": ("queue.batches:BatchView[]",),
    "batch open": ("queue.batches:BatchView",),
    "batch retry": ("cli.batch_change:BatchChange",),
    "batch show": ("queue.batches:BatchView",),
    "blockers sign": ("cli.answers:SignedRulesAnswer",),
    "blockers verify": ("cli.answers:SignedRulesAnswer",),
    "cancel": ("cli.answers:CancelOutcome",),
    "config check": ("cli.answers:ValidSettings",),
    "config diff": ("builtins:str[]",),
    "config edit": ("cli.config_change:ChangeReport",),
    "config get": (ANYTHING,),
    "config history": ("cli.answers:ConfigVersions",),
    "config rollback": ("cli.config_change:ChangeReport",),
    "config set": ("cli.config_change:ChangeReport",),
    "config show": ("builtins:dict", "cli.config:ShownOrigin[]"),
    "config unset": ("cli.config_change:ChangeReport",),
    "config validate": ("cli.answers:ValidListing",),
    "dead list": ("cli.answers:DeadLetterAnswer[]",),
    "dead purge": ("cli.answers:PurgedLetters",),
    "dead retry": ("cli.dead_letters:RetriedLetters",),
    "dead show": ("cli.answers:DeadLetterAnswer",),
    "doctor": ("self_checks.finding:Finding[]", "cli.doctor_size:SizeReport"),
    "drain": ("admin.status:DrainLine[]",),
    "jobs": ("cli.answers:JobRow[]", "cli.answers:JobTotals"),
    "jobs cancel": ("cli.answers:BulkAnswer",),
    "jobs follow": ("cli.answers:JobChange",),
    "jobs list": ("cli.answers:JobRow[]", "cli.answers:JobTotals"),
    "jobs retry": ("cli.answers:BulkAnswer",),
    "jobs show": ("queue.job_details:JobDetails",),
    "key import": ("cli.answers:KeyPairAnswer",),
    "key list": ("cli.answers:KeyPairAnswer[]",),
    "key new": ("cli.answers:KeyPairAnswer",),
    "key revoke": ("cli.answers:RevokedAnswer",),
    "key show": ("cli.answers:PublicKeyAnswer",),
    "key trusted": ("cli.answers:TrustedKeyAnswer[]",),
    "logs": ("cli.answers:LogLineAnswer",),
    "module channel set": ("cli.answers:PublishedAnswer",),
    "module dev": ("contract.result:Result",),
    "module diff": ("registry.bundle_difference:BundleDifference",),
    "module lint": ("registry.lint_finding:LintReport",),
    "module list": ("registry.publisher:Index",),
    "module pack": ("cli.answers:PackedAnswer",),
    "module promote": ("cli.rollout_change:RolloutAnswer",),
    "module publish": ("cli.answers:PublishedAnswer",),
    "module refresh-index": ("cli.answers:IndexAnswer",),
    "module reproduce": ("cli.answers:ReproducedAnswer",),
    "module rollback": ("cli.rollout_change:RolloutAnswer",),
    "module rollout": ("cli.rollout_change:RolloutAnswer",),
    "module run": ("contract.result:Result",),
    "module serial": ("registry.fleet_serial:SeenIndex",),
    "module sign": ("cli.answers:SignedAnswer",),
    "module status": ("cli.rollout_change:RolloutAnswer",),
    "module verify": ("cli.answers:VerifiedAnswer",),
    "module yank": ("cli.answers:YankedAnswer", "cli.rollout_change:RolloutAnswer"),
    "pause": ("cli.pause:PauseReport", "queue.pauses:PauseView[]"),
    "profile delete": ("cli.profile_rows:ProfileChange",),
    "profile export": ("cli.profile_rows:ProfileChange",),
    "profile import": ("cli.profile_rows:ProfileChange",),
    "profile list": ("cli.profile_rows:ProfileRow[]",),
    "profile quarantine": ("cli.profile_rows:ProfileChange",),
    "profile reset": ("cli.profile_rows:ProfileChange",),
    "profile restore": ("cli.profile_rows:ProfileChange",),
    "profile show": ("cli.profile_rows:ProfileAnswer",),
    "profile unlock": ("cli.profile_rows:ProfileChange",),
    "redis acl": ("cli.redis_acl:ApiUserAnswer",),
    "redis password": ("cli.answers:RedisAccess",),
    "results": ("contract.result:Result[]", "contract.result:Result", "cli.answers:FollowedResult"),
    "rollout": ("cli.rollout_change:RolloutAnswer[]",),
    "rollout watch": ("cli.rollout_watch:WatchedBuild",),
    "scale": ("scaling.fleet_api:WantedWorkers", "scaling.simulation:Simulation"),
    "secrets check": ("cli.answers:SecretsAnswer",),
    "status": ("admin.status:StatusReport", "cli.fleet_status:FleetStatus"),
    "submit": ("cli.answers:PushedJob", "contract.result:Result"),
    "tenant acl": ("cli.tenant_acl:RedisUserAnswer",),
    "tenant create": ("cli.config_change:ChangeReport",),
    "tenant create-token": ("cli.tenant_tokens:NewTokenAnswer",),
    "tenant list": ("cli.tenant:TenantAnswer[]",),
    "tenant list-tokens": ("queue.access_tokens:AccessTokenRow[]",),
    "tenant pause": ("cli.pause:PauseReport",),
    "tenant revoke-token": ("cli.tenant_tokens:RevokedTokenAnswer",),
    "tenant rotate-token": ("cli.tenant_tokens:NewTokenAnswer",),
    "tenant subscribe": ("queue.subscriptions:Subscription",),
    "tenant subscriptions": ("queue.subscriptions:Subscription[]",),
    "tenant show": ("cli.tenant:TenantDetails",),
    "tenant unpause": ("cli.pause:PauseReport",),
    "tenant unsubscribe": ("cli.tenant_subscriptions:EndedSubscription",),
    "tenant usage": ("queue.usage:UsageHour[]",),
    "top": ("cli.top_frame:TopFrame",),
    "undrain": ("admin.status:StatusReport", "cli.fleet_drain:UndrainedFleet"),
    "unpause": ("cli.pause:PauseReport",),
}
"""By command: the types of its output, as `FILE:NAME` in this package, `[]` for a list of them. One of them is printed,
depending on the options."""


def file_of(command: str) -> str:
    """The name of the schema file of a command, such as `jobs list`."""
    return command.replace(" ", "-") + ".schema.json"


def shipped_schema(command: str) -> bytes:
    """The text of the schema file of a command. Raises KeyError if it prints no JSON."""
    if command not in PRINTED:
        raise KeyError(command)
    return resources.files(__package__).joinpath("schemas", file_of(command)).read_bytes()


def generated(command: str) -> bytes:
    """The bytes of the schema file of a command."""
    shapes = PRINTED[command]
    bodies: list[dict[str, Any]] = []
    parts: dict[str, Any] = {}
    for shape in shapes:
        body, found = _schema(shape)
        bodies.append(body)
        parts |= found
    document: dict[str, Any] = {"$schema": DIALECT, "title": f"workerctl {command} --json"}
    document |= bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
    if parts:
        document["$defs"] = parts
    return msgspec.json.format(msgspec.json.encode(portable(document)), indent=2) + b"\n"


def _schema(shape: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if shape == ANYTHING:
        return {}, {}
    type_ = _type_at(shape.removesuffix(LIST))
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        type_ = without_raw_defaults(type_)
    (body,), parts = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    return ({"type": "array", "items": body} if shape.endswith(LIST) else body), parts


def _type_at(place: str) -> Any:
    file, _, name = place.partition(":")
    return getattr(importlib.import_module(file if file == "builtins" else ROOT + file), name)
