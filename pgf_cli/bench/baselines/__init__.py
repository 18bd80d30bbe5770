"""Other ways to the same derivatives, and ours beside them as contestants."""
