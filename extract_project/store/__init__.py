"""Objects and their versions: where they are, and the client that talks to S3."""
