"""The file of the blocker rules: read and checked as a whole. Pure, but for the file of the release.

A file is JSON: `{"version": "2026.11.1", "rules": [{"kind", "provider", "signs": [{"sign": "status", …}]}]}`. A file
that an operator signs also has `serial` and `expires`.
"""

from datetime import datetime
from functools import cached_property, lru_cache
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from pageworker_sandbox.blockers.signs import AnySign, ElementSign

BlockerKind = Literal["captcha", "challenge", "access_denied", "rate_limited", "login_required", "geo_blocked"]
MAX_RULES = 500
MAX_SIGNS = 40
MAX_FILE_BYTES = 128 * 1024
RELEASED = "default_rules.json"


class BlockerRulesInvalid(ValueError):
    """A file of blocker rules that is not valid. The text names the place and what is expected."""


class BlockerRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A blocker, and the signs of it. Its sum is the sum of the weights of the signs that are found."""

    kind: BlockerKind
    provider: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    """The product that blocks. None: the site's own means, or not known."""
    signs: Annotated[tuple[AnySign, ...], Meta(min_length=1, max_length=MAX_SIGNS)]


class BlockerRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """All rules of one version."""

    version: Annotated[str, Meta(min_length=1, max_length=32)]
    serial: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """Of signed rules: each new file has a higher one. 0: the rules of the release."""
    expires: Annotated[datetime, Meta(tz=True)] | None = None
    """Of signed rules: from then on the file is not accepted any more."""
    rules: Annotated[tuple[BlockerRule, ...], Meta(max_length=MAX_RULES)]

    @cached_property
    def selectors(self) -> tuple[str, ...]:
        """All CSS selectors, each once: the page is asked for them together."""
        signs = (sign for rule in self.rules for sign in rule.signs)
        return tuple(dict.fromkeys(sign.selector for sign in signs if isinstance(sign, ElementSign)))


_decoder = msgspec.json.Decoder(BlockerRules)


@lru_cache(maxsize=4)
def decode_rules(data: bytes) -> BlockerRules:
    """The rules in a file. Raises BlockerRulesInvalid."""
    if len(data) > MAX_FILE_BYTES:
        raise BlockerRulesInvalid(f"the file has {len(data)} bytes; at most {MAX_FILE_BYTES} are allowed")
    try:
        rules = _decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BlockerRulesInvalid(f"blocker rules: {error}") from error
    for number, rule in enumerate(rules.rules):
        if sum(sign.weight for sign in rule.signs if sign.weight > 0) < 1:
            raise BlockerRulesInvalid(
                f"blocker rules: $.rules[{number}] ({rule.kind}, {rule.provider}): its weights above 0 add up to less "
                "than 1, so it never applies; raise a weight, or take the rule out"
            )
    return rules


@lru_cache(maxsize=1)
def released_rules() -> bytes:
    """The file that comes with this release."""
    return resources.files(__package__).joinpath(RELEASED).read_bytes()
