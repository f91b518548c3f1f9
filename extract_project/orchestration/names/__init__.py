"""Dagster's names for things: keys, tags, ticks, partitions, and the ends of tasks."""
