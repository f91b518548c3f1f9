"""The code server: Dagster's own, whose reloads fork instead of starting Python anew."""
