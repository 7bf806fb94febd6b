"""n8n for tests."""
