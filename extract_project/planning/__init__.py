"""Before a push: what it changes, which columns result, whom that breaks, and a sample of rows."""
