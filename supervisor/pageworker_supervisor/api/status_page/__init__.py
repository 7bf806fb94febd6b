"""The status page: HTML for people, at `/` of the API (docs/status-page.md)."""
