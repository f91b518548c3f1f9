"""SQL files to extracts to a snapshot: header, partitions, schedules, the bucket."""
