"""What starts runs: schedules, upstream extracts, changed tables."""
