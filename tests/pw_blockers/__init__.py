"""A corpus of pages that block, and of pages that only look so, by their features (docs/blockers.md).

The pages are written from public descriptions; `source` names the description of each. Of two pages of one kind and
provider, the order of the SHA-256 of their names decides: one goes to `open_pages.json`, the next to
`frozen_pages.json`. Rules are made with the open half alone. The frozen half only counts how well they do. A page whose
source says something else is corrected, and one without a source is removed; the others stay in their half.
"""
