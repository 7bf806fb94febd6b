"""Which address a worker connects to for a file's URL. Pure: the names are resolved by the caller."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from msgspec import Struct

from pageworker_sandbox.egress.address import is_public, unmap
from pageworker_sandbox.egress.target import parse_authority
from pageworker_supervisor.contract.callback_url import CallbackTarget, allowed
from pageworker_supervisor.files.errors import FileError


class CheckedEndpoint(Struct, frozen=True):
    """An address that was checked, and its port."""

    address: str
    port: int


def permitted_target(untrusted_url: str, globs: Iterable[str]) -> CallbackTarget:
    """The parts of a URL that the setting `files.allowed_urls` permits. Raises FileError (`file_not_allowed`)."""
    target = CallbackTarget.parse(untrusted_url)
    if target is None or not allowed(untrusted_url, globs):
        raise FileError("file_not_allowed", "its URL matches none of files.allowed_urls")
    return target


def fixed_endpoint(target: CallbackTarget, hosts: Mapping[str, str]) -> CheckedEndpoint | None:
    """The address that `egress.hosts` gives to the host, which may be private. None: it is to be resolved."""
    text = hosts.get(target.host)
    if text is None:
        return None
    try:
        return CheckedEndpoint(str(unmap(ip_address(text))), target.port)
    except ValueError:
        fixed = parse_authority(text.encode("ascii", "replace"))
        return CheckedEndpoint(fixed.host if fixed.address is None else str(fixed.address), fixed.port)


def public_endpoint(target: CallbackTarget, addresses: Iterable[str]) -> CheckedEndpoint:
    """The first address, if all are public: a name that also leads into the own network is not fetched.

    Raises FileError.
    """
    known = [unmap(ip_address(text)) for text in addresses]
    if not known:
        raise FileError("file_unavailable", f"the name {target.host} has no address")
    if not all(map(is_public, known)):
        text = f"{target.host} has a private address: egress.hosts permits single ones"
        raise FileError("file_not_allowed", text)
    return CheckedEndpoint(str(known[0]), target.port)
