"""Parses module.toml, the manifest of a module: text in, Manifest or every mistake out."""

import re
import tomllib
from collections.abc import Callable, Collection
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pageworker_sandbox.flavor import WISHES, FlavorWish
from pageworker_sandbox.hostname import HostInvalid, normalise_host_glob, policy_host_glob
from pageworker_sandbox.page_rules import JOB_MAY_SET, NEVER_BY_JOB, PageOptionsInvalid, parse_options
from pageworker_sandbox.page_rules import RULES as PAGE_RULES
from pageworker_sandbox.signing.errors import ManifestInvalid, Mistake
from pageworker_sandbox.signing.instant import instant_text
from pageworker_sandbox.signing.version import SEMVER, fits
from pageworker_sandbox.wire.messages import SECRET_NAME
from pageworker_sandbox.wire.page_options import PageOptions

FILE = "module.toml"
BYTE_ORDER_MARK = "\ufeff"
"""Some editors write one in front."""
MAX_NAME = 100
MAX_ENTRIES = 200
MAX_TIMEOUT_SECONDS = 86_400
MAX_BUDGET = 2**53 - 1
"""The largest integer that JSON readers and Lua keep exactly (RFC 8259, section 6)."""

NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
PLACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*")
PROXY_NAME = re.compile(r"[a-z0-9-]{1,63}")
GROUP = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""It is part of a key in Redis, whose texts have `+`, `~`, `!`, `/` and `:` as signs."""
ISOLATIONS = ("tenant", "module", "job")
BLOCKER_CHECKS = ("failures", "always", "off")
TRACE_WISHES = ("off", "failures", "retries")
TENANT_GLOB = re.compile(r"[a-z0-9*?-]{1,63}")


class Manifest(Struct, frozen=True, kw_only=True):
    """A valid module.toml."""

    name: str
    version: str
    entrypoint: str
    """`package.module:function`, the handler."""
    sdk: str
    """Range of SDK versions, such as `>=1,<2`."""
    tenants: tuple[str, ...] = ("*",)
    """Globs of tenant ids that may run it."""
    egress: tuple[str, ...] = ()
    """Globs of hosts that it may reach if its tenant may too, in normalised form (`xn--mnchen-3ya.test`)."""
    budget_bytes: int | None = None
    """`[egress] budget_bytes`: that all attempts of a job together may send and receive, unless less is permitted."""
    budget_requests: int | None = None
    """`[egress] budget_requests`: the same for requests. A tunnel counts as one."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that it may ask for, if the operator grants them."""
    timeout_seconds: float | None = None
    """Seconds per attempt if the job sets none."""
    input: dict[str, Any] | str | None = None
    """JSON Schema of the payload, or `package.module:Struct`. None: any object."""
    output: dict[str, Any] | str | None = None
    """The same of what the handler returns."""
    page: PageOptions = PageOptions()
    """How its browser context is opened. `ca` is still the name of a file if the manifest was read alone."""
    flavor: FlavorWish = "auto"
    """`[browser] flavor`: of the browser that runs it."""
    proxy: str | None = None
    """Proxy policy of its jobs if the job names none, or `direct`. The operator defines policies."""
    job_may_set: tuple[str, ...] = ()
    """`[page] job_may_set`: the options that a job may give."""
    isolation: Literal["tenant", "module", "job"] = "tenant"
    """With which other jobs of its tenant a job of it may share a browser context: all, its own, or none."""
    group: str | None = None
    """With isolation `tenant`: with those of modules that name the same group."""
    blockers: Literal["failures", "always", "off"] = "failures"
    """When its pages are looked at for a blocker without its asking: when an attempt fails, also when its handler
    returns, never."""
    trace: Literal["off", "failures", "retries"] = "off"
    """Whether a trace of its attempts is recorded, and kept if they do not succeed: of all, or of all but the first."""
    login_probe: bool = False
    """Its package has a `login_probe` beside the handler."""
    expires: datetime | None = None
    """From then on no worker runs this version."""
    description: str = ""

    @property
    def bundle_file(self) -> str:
        """File name of its bundle."""
        return f"{self.name}-{self.version}.zip"


Check = Callable[[Any], bool]


def _text(pattern: re.Pattern[str], longest: int) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= longest and bool(pattern.fullmatch(value))


def _list(pattern: re.Pattern[str]) -> Check:
    return lambda value: (
        isinstance(value, list)
        and len(value) <= MAX_ENTRIES
        and all(isinstance(entry, str) and pattern.fullmatch(entry) for entry in value)
    )


def _hosts(value: Any) -> bool:
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        return False
    try:
        return all(isinstance(entry, str) and normalise_host_glob(entry) for entry in value)
    except HostInvalid:
        return False


def _budget(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_BUDGET


def _range(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > MAX_NAME:
        return False
    try:
        fits(value)
    except ValueError:
        return False
    return True


def _seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= MAX_TIMEOUT_SECONDS


def _browser(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"flavor"} and value["flavor"] in WISHES


def _may_set(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(name, str) and name in PAGE_RULES and name not in NEVER_BY_JOB for name in value
    )


def _schema(value: Any) -> bool:
    if not isinstance(value, dict):
        return _text(PLACE, MAX_NAME)(value)
    try:
        msgspec.json.encode(value)
    except (ValueError, OverflowError, RecursionError):  # a huge number, or a long dotted key
        return False
    return True


def is_instant(value: Any) -> bool:
    """True for a date and time with an offset, between the years 1 and 9999 in UTC."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        return False
    try:
        instant_text(value)
    except OverflowError:
        return False
    return True


INSTANT = "a date and time with its offset, without quotes, such as 2027-01-01T00:00:00Z"
HOST_GLOBS = 'a list of host globs such as ["shop.example", "*.cdn.example"]'
EGRESS_RULES: dict[str, tuple[Check, str]] = {
    "hosts": (_hosts, HOST_GLOBS),
    "budget_bytes": (_budget, f"a whole number of bytes, 1 to {MAX_BUDGET}"),
    "budget_requests": (_budget, f"a whole number of requests, 1 to {MAX_BUDGET}"),
}
# Key: check of its value, description of a valid value, whether the key is required.
RULES: dict[str, tuple[Check, str, bool]] = {
    "name": (_text(NAME, MAX_NAME), 'a dotted, lower case name such as "shop.product"', True),
    "version": (_text(SEMVER, 64), 'a semantic version such as "1.4.2"', True),
    "entrypoint": (_text(PLACE, MAX_NAME), '"package:function" such as "shop_product:handler"', True),
    "sdk": (_range, 'a range of versions such as ">=1,<2"', True),
    "tenants": (_list(TENANT_GLOB), 'a list of tenant globs such as ["*"]', False),
    # As a table, its keys are those of EGRESS_RULES.
    "egress": (lambda value: isinstance(value, dict) or _hosts(value), f"{HOST_GLOBS}, or a table [egress]", False),
    "secrets": (_list(re.compile(SECRET_NAME)), 'a list of secret names such as ["shop_login"]', False),
    "proxy": (_text(PROXY_NAME, 63), 'the name of a proxy policy (1-63 of a-z0-9-), or "direct"', False),
    "timeout_seconds": (_seconds, f"a number of seconds, above 0, at most {MAX_TIMEOUT_SECONDS}", False),
    "input": (_schema, 'a table [input] with a JSON Schema, or "package:Struct"', False),
    "output": (_schema, 'a table [output] with a JSON Schema, or "package:Struct"', False),
    "browser": (_browser, 'a table [browser] with one key, flavor = "auto", "full" or "shell"', False),
    # Its keys have rules of their own, in `page_rules.RULES`.
    "page": (lambda value: isinstance(value, dict), "a table [page] with the options of a browser context", False),
    "isolation": (lambda value: value in ISOLATIONS, 'one of "tenant", "module", "job"', False),
    "group": (_text(GROUP, 63), "a name (1-63 of a-z0-9._-, the first one a letter or digit)", False),
    "blockers": (lambda value: value in BLOCKER_CHECKS, 'one of "failures", "always", "off"', False),
    "trace": (lambda value: value in TRACE_WISHES, 'one of "off", "failures", "retries"', False),
    "login_probe": (lambda value: isinstance(value, bool), "true or false", False),
    "expires": (is_instant, INSTANT, False),
    "description": (lambda value: isinstance(value, str) and len(value) <= 1000, "a text", False),
}


def parse_manifest(untrusted_text: str, file: str = FILE) -> Manifest:
    """The manifest in a module.toml. Raises ManifestInvalid with every mistake; `file` names it there."""
    try:
        given = tomllib.loads(untrusted_text.removeprefix(BYTE_ORDER_MARK))
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError, or a number of more than 4300 digits
        raise ManifestInvalid((Mistake(file, "", str(error), "TOML"),)) from error
    mistakes = [unknown_key(file, key, RULES) for key in given if key not in RULES]
    for key, (check, expected, required) in RULES.items():
        if key not in given:
            if required:
                mistakes.append(Mistake(file, key, "nothing", expected, _misspelt(key, given)))
        elif not check(given[key]):
            mistakes.append(Mistake(file, key, show_value(given[key]), expected))
    if "group" in given and given.get("isolation", "tenant") in ("module", "job"):
        hint = 'leave out `group`, or write `isolation = "tenant"`'
        mistakes.append(Mistake(file, "group", show_value(given["group"]), "no group beside this isolation", hint))
    page, job_may_set, more = _page(file, given.pop("page", {}))
    egress, wrong = _egress(file, given.pop("egress", {}))
    mistakes += more + wrong
    if mistakes:
        raise ManifestInvalid(tuple(mistakes))
    given |= {"flavor": given.pop("browser", {}).get("flavor", "auto"), "page": page, "job_may_set": job_may_set}
    given["egress"] = [policy_host_glob(host) for host in egress.pop("hosts", ())]
    given |= egress
    return msgspec.convert(given, Manifest)


def _egress(file: str, given: Any) -> tuple[dict[str, Any], list[Mistake]]:
    """The table [egress], or the list of its hosts alone: as a table, and the mistakes in a table."""
    if not isinstance(given, dict):
        return {"hosts": given}, []
    mistakes = [unknown_key(file, key, EGRESS_RULES, "egress.") for key in given if key not in EGRESS_RULES]
    for key, (check, expected) in EGRESS_RULES.items():
        if key in given and not check(given[key]):
            mistakes.append(Mistake(file, f"egress.{key}", show_value(given[key]), expected))
    return dict(given), mistakes


def _page(file: str, given: Any) -> tuple[PageOptions, list[str], list[Mistake]]:
    """The table [page]: the options, what a job may set, and the mistakes."""
    if not isinstance(given, dict):
        return PageOptions(), [], []
    mistakes = []
    may_set = given.pop(JOB_MAY_SET, [])
    if not _may_set(may_set):
        settable = ", ".join(name for name in PAGE_RULES if name not in NEVER_BY_JOB)
        mistakes.append(Mistake(file, f"page.{JOB_MAY_SET}", show_value(may_set), f"a list of {settable}"))
    try:
        return parse_options(given), may_set, mistakes
    except PageOptionsInvalid as invalid:
        mistakes += [
            Mistake(file, f"page.{each.key}", each.found, each.expected, each.hint) for each in invalid.mistakes
        ]
        return PageOptions(), [], mistakes


def unknown_key(file: str, key: str, rules: Collection[str], table: str = "") -> Mistake:
    """The mistake that a key of a TOML file is unknown, with the key that was meant if one is close."""
    near = get_close_matches(key, rules, n=1, cutoff=0.6)
    hint = f"did you mean `{table}{near[0]}`?" if near else ""
    return Mistake(file, (table + key)[:MAX_NAME], "an unknown key", "one of " + ", ".join(rules), hint)


def _misspelt(key: str, given: dict[str, Any]) -> str:
    near = get_close_matches(key, [name for name in given if name not in RULES], n=1, cutoff=0.6)
    return f"`{near[0][:MAX_NAME]}` was given instead" if near else ""


def show_value(value: Any) -> str:
    """An untrusted value of a TOML file for an error, in at most 80 characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "a value that is too large to show"
    return text if len(text) <= 80 else text[:77] + "…"
