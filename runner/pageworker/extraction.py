"""What `helpers.extract` reads, and how it is read from a document in one evaluation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

XPATH = "xpath="
MAX_DEPTH = 8
"""Lists within lists."""

# Used by every script that looks for elements: those of a selector, below a root.
FIND_NODES = """(root, at, most) => {
  if (at.xpath) {
    const document = root.ownerDocument ?? root;
    const found = document.evaluate(at.selector, root, null, XPathResult.ANY_TYPE, null);
    switch (found.resultType) {
      case XPathResult.NUMBER_TYPE: return [String(found.numberValue)];
      case XPathResult.STRING_TYPE: return [found.stringValue];
      case XPathResult.BOOLEAN_TYPE: return [String(found.booleanValue)];
    }
    const nodes = [];
    for (let node = found.iterateNext(); node && nodes.length < most; node = found.iterateNext()) nodes.push(node);
    return nodes;
  }
  if (!at.selector) return [root.documentElement ?? root];
  if (most > 1) return [...root.querySelectorAll(at.selector)].slice(0, most);
  const first = root.querySelector(at.selector);
  return first ? [first] : [];
}"""

# One evaluation for all fields: a round trip per field would cost more than the page's own work.
READ_FIELDS = (
    """fields => {
  const nodes = """
    + FIND_NODES
    + """;
  const text = (node, attribute) => {
    const value = typeof node === 'string' ? node : attribute ? node.getAttribute(attribute) : node.textContent;
    // A page may hold half of a surrogate pair, which neither JSON nor UTF-8 can encode.
    return value === null ? null : value.trim().toWellFormed();
  };
  const one = (root, at) => {
    const [node] = nodes(root, at, 1);
    return node === undefined ? null : text(node, at.attribute);
  };
  const read = (root, fields) =>
    Object.fromEntries(Object.entries(fields).map(([name, at]) => [name, at.most ? list(root, at) : one(root, at)]));
  const list = (root, at) =>
    nodes(root, at, at.most).map(node => at.fields ? read(node, at.fields) : text(node, at.attribute));
  return read(document, fields);
}"""
)


@dataclass(frozen=True)
class Each:
    """Every match of a selector, as a list: of objects with these `fields`, or of texts without.

        {"offers": Each(".offer", {"title": "h2", "link": "a@href", "tags": Each(".tag")})}

    Selectors of `fields` are looked up within the match; "" and "@attribute" are the match itself, and an XPath begins
    with `.`. `required`: fields that no match may lack. At most `limit` matches are read.
    """

    selector: str
    fields: "Mapping[str, str | Each] | None" = None
    required: Sequence[str] = field(default=(), kw_only=True)
    limit: int = field(default=1000, kw_only=True)


Field = str | Each


def parsed_fields(fields: Mapping[str, Field], required: Sequence[str], depth: int = 0) -> dict[str, Any]:
    """The fields as READ_FIELDS takes them. Raises ValueError for `required` names that are no fields."""
    if unknown := [name for name in required if name not in fields]:
        raise ValueError(f"helpers.extract: `required` names fields that are not in `fields`: {', '.join(unknown)}")
    if depth > MAX_DEPTH:
        raise ValueError(f"helpers.extract: lists are nested more than {MAX_DEPTH} deep")
    return {name: _parsed(spec, depth) for name, spec in fields.items()}


def _parsed(spec: Field, depth: int) -> dict[str, Any]:
    if isinstance(spec, str):
        return place_of(spec)
    inner = None if spec.fields is None else parsed_fields(spec.fields, spec.required, depth + 1)
    return {**place_of(spec.selector), "most": max(1, spec.limit), "fields": inner}


def place_of(spec: str) -> dict[str, Any]:
    """A selector as FIND_NODES takes it, with the attribute that is read."""
    if spec.startswith(XPATH):
        return {"selector": spec.removeprefix(XPATH), "attribute": "", "xpath": True}
    selector, attribute = split_field(spec)
    return {"selector": selector, "attribute": attribute, "xpath": False}


def missing_fields(
    found: Mapping[str, Any], fields: Mapping[str, Field], required: Sequence[str], path: str = ""
) -> Iterator[tuple[str, str]]:
    """Path and selector of each required field without a match, such as `offers[3].title`."""
    for name in required:
        if found[name] is None or found[name] == []:
            spec = fields[name]
            yield f"{path}{name}", spec if isinstance(spec, str) else spec.selector
    for name, spec in fields.items():
        if isinstance(spec, Each) and spec.fields is not None:
            for number, item in enumerate(found[name]):
                yield from missing_fields(item, spec.fields, spec.required, f"{path}{name}[{number}].")


def split_field(spec: str) -> tuple[str, str]:
    """Selector and attribute of a field: `a.more@href` is `a.more` and `href`. The attribute is "" for text.

    An `@` inside a CSS string or bracket does not separate.
    """
    selector, at, attribute = spec.rpartition("@")
    if at and attribute.replace("-", "").replace("_", "").replace(":", "").isalnum():
        return selector, attribute
    return spec, ""
