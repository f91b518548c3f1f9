"""States and reasons, from facts."""
