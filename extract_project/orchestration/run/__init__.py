"""One run: the asset, its attempt, the IO manager, and what they record."""
