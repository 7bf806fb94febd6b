"""The rules of the options of a browser context: what a module, a profile or a job may ask for. Pure.

The names are those of Playwright's `new_context`. `RULES` is the only table: one row per option, with its check, what
is expected, and the browser's default. It checks `[page]` in module.toml, `[profiles.page]` in the
configuration, and `page` of a job.
"""

import hashlib
import re
import ssl
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from pageworker_sandbox import block_rules
from pageworker_sandbox.devices import options_of_device, similar_devices
from pageworker_sandbox.hostname import policy_host_glob
from pageworker_sandbox.wire.page_options import PageOptions, pem_blocks

MAX_PIXELS = 3840 * 2160 * 4
"""Of a whole viewport, the scale factor counted."""
MAX_HEADERS = 50
MAX_HEADER_BYTES = 8 * 1024
MAX_CA_BYTES = 32 * 1024
DEVICE = "device"
"""The key that stands for several options, which the other keys of its table go over."""
JOB_MAY_SET = "job_may_set"
"""The key of `[page]` in module.toml that names what a job may give."""
NEVER_BY_JOB = {
    "http_credentials": "a job's text is kept in Redis: give them in [page] of module.toml, or to a profile",
    "ca": "whom a browser trusts is for the module or the profile to say",
}
SECRET_OPTIONS = frozenset({"http_credentials", "extra_http_headers"})
"""Their values are never shown: in errors, logs, output of commands."""

# What `Browser.grantPermissions` of Chromium knows, with Playwright's names.
PERMISSIONS = (
    "accelerometer",
    "ambient-light-sensor",
    "background-sync",
    "camera",
    "clipboard-read",
    "clipboard-write",
    "geolocation",
    "gyroscope",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "midi-sysex",
    "notifications",
    "payment-handler",
    "screen-wake-lock",
    "storage-access",
)
# Requests get these from the browser, from another option, or from the proxy. A second value would contradict it.
OTHER_HEADERS = {
    "accept-language": "set `locale`",
    "authorization": "it would go to every host: set `http_credentials`, or have the handler call "
    "page.set_extra_http_headers",
    "cookie": "use page.context.add_cookies",
    "user-agent": "set `user_agent`",
}
FORBIDDEN_HEADERS = re.compile(
    r"accept-encoding|connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|via|"
    r"(proxy|pageworker)-.*"
)
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,4094}[\x21-\x7e])?")
USER_AGENT = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,510}[\x21-\x7e])?")
# BCP 47, as far as browsers have languages: language, script, region. RFC 5646 recommends this case.
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
TIME_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
# Of the zoneinfo database, not of ICU, which Chromium uses.
NO_TIME_ZONES = frozenset({"Factory", "localtime"})
ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
CA_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")


class OptionMistake(Struct, frozen=True):
    """One mistake in given options. `key`: the option, "" for all of them. `found` never shows a secret."""

    key: str
    found: str
    expected: str
    hint: str = ""


class PageOptionsInvalid(Exception):
    """Given options are not valid. `mistakes` lists every mistake."""

    def __init__(self, mistakes: tuple[OptionMistake, ...]) -> None:
        super().__init__("; ".join(f"`{each.key}`: found {each.found}, expected {each.expected}" for each in mistakes))
        self.mistakes = mistakes


class OptionRefused(Exception):
    """A job gives an option that it may not give."""

    def __init__(self, key: str, rule: str, hint: str) -> None:
        super().__init__(f"`page.{key}` {rule}; {hint}")
        self.key, self.rule, self.hint = key, rule, hint


class OptionRule(Struct, frozen=True):
    """One row: whether a plain value is valid, what is expected, and the browser's default as a plain value."""

    check: Callable[[Any], bool]
    expected: str
    default: Any = None


def _number(value: Any, least: float, most: float) -> bool:
    return type(value) in (int, float) and least <= value <= most


def _whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _text(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _flag(default: bool, meaning: str) -> OptionRule:
    return OptionRule(lambda value: type(value) is bool, f"true or false: {meaning}", default)


def _one_of(*words: str, default: str | None = None) -> OptionRule:
    listed = ", ".join(f'"{word}"' for word in words)
    return OptionRule(lambda value: isinstance(value, str) and value in words, f"one of {listed}", default)


def _keys(value: Any, required: set[str], optional: Iterable[str] = ()) -> bool:
    return isinstance(value, dict) and required <= set(value) <= required | set(optional)


def _viewport(value: Any) -> bool:
    return _keys(value, {"width", "height"}) and all(_whole(value[side], 50, 7680) for side in ("width", "height"))


def _geolocation(value: Any) -> bool:
    return (
        _keys(value, {"latitude", "longitude"}, ("accuracy",))
        and _number(value["latitude"], -90, 90)
        and _number(value["longitude"], -180, 180)
        and _number(value.get("accuracy", 0), 0, 1_000_000)
    )


def _credentials(value: Any) -> bool:
    return (
        _keys(value, {"username", "password"}, ("origin",))
        and all(
            isinstance(value[key], str) and len(value[key]) <= 255 and (value[key] == "" or value[key].isprintable())
            for key in ("username", "password")
        )
        and ":" not in value["username"]
        and ("origin" not in value or _text(ORIGIN)(value["origin"]))
    )


def _headers(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > MAX_HEADERS:
        return False
    names = [name.lower() for name in value]
    return (
        all(_text(HEADER_NAME)(name) and _text(HEADER_VALUE)(text) for name, text in value.items())
        and len(set(names)) == len(names)
        and not any(name in OTHER_HEADERS or FORBIDDEN_HEADERS.fullmatch(name) for name in names)
        and sum(len(name) + len(text) for name, text in value.items()) <= MAX_HEADER_BYTES
    )


def _permissions(value: Any) -> bool:
    return isinstance(value, list) and len(set(map(str, value))) == len(value) and all(_known(each) for each in value)


def _known(permission: Any) -> bool:
    return isinstance(permission, str) and permission in PERMISSIONS


def _time_zone(value: Any) -> bool:
    return _text(TIME_ZONE)(value) and value in _time_zones()


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - NO_TIME_ZONES)


def _ca(value: Any) -> bool:
    return isinstance(value, str) and (bool(CA_FILE.fullmatch(value)) or is_ca(value))


def is_ca(text: str) -> bool:
    """Whether a text is PEM of CA certificates, and of nothing else."""
    blocks = pem_blocks(text)
    if not blocks or len(text) > MAX_CA_BYTES or "PRIVATE KEY" in text:
        return False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata="\n".join(blocks))
    except (ssl.SSLError, ValueError):
        return False
    # OpenSSL drops a repeated certificate, and counts one that is no CA as x509 only.
    stats = context.cert_store_stats()
    return 0 < stats["x509_ca"] == stats["x509"] == len(set(blocks))


RULES: dict[str, OptionRule] = {
    "viewport": OptionRule(
        _viewport, "{ width, height }: whole CSS pixels, 50 to 7680 each", {"width": 1280, "height": 720}
    ),
    "user_agent": OptionRule(_text(USER_AGENT), "a text of at most 512 printable ASCII characters"),
    "locale": OptionRule(_text(LOCALE), 'a language of BCP 47 such as "de-DE", in this case'),
    "timezone_id": OptionRule(_time_zone, 'a time zone such as "Europe/Berlin"'),
    "device_scale_factor": OptionRule(lambda value: _number(value, 0.5, 5), "a number from 0.5 to 5", 1),
    "is_mobile": _flag(False, "the viewport meta tag counts, and scroll bars lie over the page"),
    "has_touch": _flag(False, "the page gets touch events"),
    "java_script_enabled": _flag(True, "scripts of pages run"),
    "http_credentials": OptionRule(
        _credentials, '{ username, password } and perhaps origin = "https://host": printable texts of at most 255'
    ),
    "ignore_https_errors": _flag(False, "pages with an invalid certificate load"),
    "ca": OptionRule(
        _ca, f"CA certificates in PEM of at most {MAX_CA_BYTES} bytes, or in module.toml the name of a file"
    ),
    "geolocation": OptionRule(
        _geolocation, "{ latitude, longitude } in degrees, perhaps accuracy in meters (at most 1000000)"
    ),
    "permissions": OptionRule(_permissions, f"a list of {', '.join(PERMISSIONS)}", []),
    "color_scheme": _one_of("light", "dark", "no-preference", default="light"),
    "reduced_motion": _one_of("reduce", "no-preference", default="no-preference"),
    "forced_colors": _one_of("active", "none", default="none"),
    "contrast": _one_of("more", "no-preference", default="no-preference"),
    "extra_http_headers": OptionRule(
        _headers,
        f"at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes, as text by name, without "
        f"{', '.join(OTHER_HEADERS)}, and without those of the connection",
        {},
    ),
    "service_workers": _one_of("allow", "block", default="allow"),
    "block": OptionRule(block_rules.are_types, block_rules.EXPECTED_TYPES, []),
    "block_hosts": OptionRule(block_rules.are_hosts, block_rules.EXPECTED_HOSTS, []),
}


def parse_options(untrusted: Any) -> PageOptions:
    """Plain values of TOML or JSON as options. Raises PageOptionsInvalid with every mistake."""
    if not isinstance(untrusted, dict):
        raise PageOptionsInvalid((OptionMistake("", _shown("", untrusted), "a table of options"),))
    device, mistakes = _device(untrusted)
    untrusted = {**device, **{key: value for key, value in untrusted.items() if key != DEVICE}}
    mistakes += [mistake for key, value in untrusted.items() if (mistake := _mistake(key, value))]
    if not mistakes and _pixels(untrusted) > MAX_PIXELS:
        expected = f"at most {MAX_PIXELS} pixels, width × height × device_scale_factor²"
        mistakes.append(OptionMistake("viewport", str(int(_pixels(untrusted))), expected))
    if mistakes:
        raise PageOptionsInvalid(tuple(mistakes))
    if "block_hosts" in untrusted:
        untrusted["block_hosts"] = list({policy_host_glob(glob) for glob in untrusted["block_hosts"]})
    sorted_lists = {key: sorted(value) if isinstance(value, list) else value for key, value in untrusted.items()}
    return msgspec.convert(sorted_lists, PageOptions)


def without_defaults(options: PageOptions) -> PageOptions:
    """Without what is the browser's default anyway: a module that spells a default out shares a browser."""
    plain = msgspec.json.decode(msgspec.json.encode(options))
    kept = {name: value for name, value in plain.items() if value != RULES[name].default}
    return msgspec.convert(kept, PageOptions)


def options_digest(options: PageOptions) -> str:
    """12 hex digits: equal options have equal digests. "" if nothing differs from the browser's default."""
    return _digest(msgspec.json.encode(without_defaults(options), order="deterministic"))


def combine(
    module: PageOptions,
    may_set: Iterable[str],
    profile: PageOptions,
    job: PageOptions,
    tenant: PageOptions = PageOptions(),
) -> PageOptions:
    """The options of a job's browser context: the job's, then the profile's, the module's, and the tenant's.

    `may_set`: what the module lets a job give. Raises OptionRefused.
    """
    for key in job.given():
        if key not in may_set:
            raise OptionRefused(
                key, "is not for a job to set", f"the module's author can add it to {JOB_MAY_SET} in [page]"
            )
    return without_defaults(job.over(profile.over(module.over(tenant))))


def _device(untrusted: Mapping[str, Any]) -> tuple[dict[str, Any], list[OptionMistake]]:
    """The options that the key `device` stands for."""
    if DEVICE not in untrusted:
        return {}, []
    name = untrusted[DEVICE]
    options = options_of_device(name) if isinstance(name, str) else None
    if options is not None:
        return options, []
    near = " or ".join(f'"{each}"' for each in similar_devices(str(name)[:100]))
    hint = f"did you mean {near}?" if near else ""
    return {}, [OptionMistake(DEVICE, _shown(DEVICE, name), 'a device of Playwright, such as "iPhone 15"', hint)]


def _mistake(key: str, value: Any) -> OptionMistake | None:
    rule = RULES.get(key)
    if rule is None:
        known = (*RULES, DEVICE)
        near = get_close_matches(key, known, n=1, cutoff=0.6)
        hint = f"did you mean `{near[0]}`?" if near else ""
        return OptionMistake(key[:100], "an unknown key", "one of " + ", ".join(known), hint)
    if rule.check(value):
        return None
    return OptionMistake(key, _shown(key, value), rule.expected, _hint(key, value))


def _hint(key: str, value: Any) -> str:
    if key == "extra_http_headers" and isinstance(value, dict):
        return "; ".join(f"`{name}`: {OTHER_HEADERS[name.lower()]}" for name in value if name.lower() in OTHER_HEADERS)
    if key == "timezone_id" and not _time_zones():
        return "this host has no time zone database: install the package tzdata"
    if key == "locale" and isinstance(value, str) and LOCALE.fullmatch(value.replace("_", "-")):
        return f'write "{value.replace("_", "-")}"'
    if key == "block":
        return block_rules.type_hint(value)
    if key == "block_hosts":
        return block_rules.host_hint(value)
    return ""


def _pixels(given: Mapping[str, Any]) -> float:
    size = given.get("viewport", RULES["viewport"].default)
    scale: float = given.get("device_scale_factor", 1)
    pixels: float = size["width"] * size["height"] * scale * scale
    return pixels


def _shown(key: str, value: Any) -> str:
    if key in SECRET_OPTIONS or key == "ca":
        return "a value that does not fit"
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "a value that is too large to show"
    return text if len(text) <= 80 else text[:77] + "…"


@lru_cache(4096)
def _digest(text: bytes) -> str:
    if text == b"{}":
        return ""
    # Slow on purpose if there is a password: the digest is in Redis, and must not help to guess it. 50 ms, once.
    if b'"http_credentials"' in text:
        return hashlib.scrypt(text, salt=b"pageworker", n=2**14, r=8, p=1, dklen=6).hex()
    return hashlib.blake2b(text, digest_size=6).hexdigest()
