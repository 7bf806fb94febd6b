"""Results on their way to callback receivers, and the events that tenants can listen to."""
