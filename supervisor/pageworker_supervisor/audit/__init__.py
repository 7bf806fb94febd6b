"""The audit log: who changed what, in a chain that only holders of the key can continue."""
