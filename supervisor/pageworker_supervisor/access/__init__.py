"""Access tokens: who may call the HTTP API, for which tenant, and for what."""
