"""`make api-fuzz`: schemathesis sends what the OpenAPI document describes, and what it does not, to a real API."""
