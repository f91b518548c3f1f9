"""Objects in S3: the only package that knows S3's client, its errors and its metadata."""
