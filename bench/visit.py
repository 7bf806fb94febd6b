"""The work of a contender on a page: read twenty fields with one evaluate."""

import json

from bench.page_parts import FIELDS

SELECTORS = {f"f{field}": f"#card-{field * 7} .price" for field in range(FIELDS)}
READ_FIELDS = (
    f"() => Object.fromEntries(Object.entries({json.dumps(SELECTORS)})"
    ".map(([name, selector]) => [name, document.querySelector(selector).textContent]))"
)
