"""How the fields of `helpers.extract` are read from a document."""

# One evaluation for all fields: a round trip per field would cost more than the page's own work.
READ_FIELDS = """fields => Object.fromEntries(Object.entries(fields).map(([name, [selector, attribute]]) => {
  const element = selector ? document.querySelector(selector) : document.documentElement;
  if (!element) return [name, null];
  const value = attribute ? element.getAttribute(attribute) : element.textContent;
  // A page may hold half of a surrogate pair, which neither JSON nor UTF-8 can encode.
  return [name, value === null ? null : value.trim().toWellFormed()];
}))"""


def split_field(spec: str) -> tuple[str, str]:
    """Selector and attribute of a field: `a.more@href` is `a.more` and `href`. The attribute is "" for text.

    An `@` inside a CSS string or bracket does not separate.
    """
    selector, at, attribute = spec.rpartition("@")
    if at and attribute.replace("-", "").replace("_", "").replace(":", "").isalnum():
        return selector, attribute
    return spec, ""
