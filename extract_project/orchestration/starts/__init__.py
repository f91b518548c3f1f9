"""Start runs: on schedules, after upstream extracts, or when tables have changed."""
