"""Publishing under attack: S3 fails at each request; runs, kills and edits come in any order."""
