"""Attack publishing: S3 fails at each request; runs, kills and edits happen in any order."""
