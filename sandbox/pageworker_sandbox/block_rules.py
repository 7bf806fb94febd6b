"""The rules of the options `block` and `block_hosts`: what may stand in them, and what was meant instead. Pure."""

from difflib import get_close_matches
from typing import Any, get_args

from pageworker_sandbox.hostname import HostInvalid, policy_host_glob
from pageworker_sandbox.wire.page_options import BlockedType

MAX_HOSTS = 200
MAX_HOSTS_BYTES = 8 * 1024
"""Of all together."""
TYPES: tuple[str, ...] = get_args(BlockedType)
NOT_YET = frozenset(
    {"document", "eventsource", "fetch", "manifest", "other", "script", "stylesheet", "texttrack", "websocket", "xhr"}
)
"""The other types of requests that Playwright knows."""
SIMILAR = {"audio": "media", "img": "image", "picture": "image", "typeface": "font", "video": "media"}
EXPECTED_TYPES = f"a list of {', '.join(TYPES)}"
EXPECTED_HOSTS = (
    f"at most {MAX_HOSTS} hosts or globs of hosts, {MAX_HOSTS_BYTES} bytes together, such as "
    '["ads.example", "*.ads.example"]'
)


def are_types(value: Any) -> bool:
    """Whether a plain value is a list of types, each at most once."""
    return (
        isinstance(value, list)
        and len(set(map(str, value))) == len(value)
        and all(isinstance(each, str) and each in TYPES for each in value)
    )


def are_hosts(value: Any) -> bool:
    """Whether a plain value is a list of hosts and globs of hosts."""
    return (
        isinstance(value, list)
        and len(value) <= MAX_HOSTS
        and all(isinstance(each, str) and not host_problem(each) for each in value)
        and sum(map(len, value)) <= MAX_HOSTS_BYTES
    )


def host_problem(glob: str) -> str:
    """What is wrong with a host or a glob of hosts. Empty if nothing is."""
    try:
        policy_host_glob(glob)
    except HostInvalid as error:
        return "write only the host: no scheme, port or path" if "/" in glob or ":" in glob else str(error)
    return ""


def type_hint(value: Any) -> str:
    """For a value that `are_types` refuses: which words were meant, or are not supported yet."""
    return "; ".join(filter(None, map(_word_hint, value))) if isinstance(value, list) else ""


def host_hint(value: Any) -> str:
    """For a value that `are_hosts` refuses: what is wrong with the first host that is."""
    if isinstance(value, list):
        for each in value:
            if isinstance(each, str) and (problem := host_problem(each)):
                return f"`{each[:100]}`: {problem}"
    return ""


def _word_hint(word: Any) -> str:
    if not isinstance(word, str) or word in TYPES:
        return ""
    lower = word.lower()
    if lower in NOT_YET:
        return f'"{lower}": not supported yet'
    near = [SIMILAR[lower]] if lower in SIMILAR else get_close_matches(lower, TYPES, n=1, cutoff=0.6)
    return f'"{word[:100]}": did you mean "{near[0]}"?' if near else ""
