"""What Dagster calls things: keys, tags, ticks, partitions, and what a task tells of its end."""
