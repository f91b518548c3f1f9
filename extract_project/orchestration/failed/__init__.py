"""What failed, rerunning it, and telling people."""
