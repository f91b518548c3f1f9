"""Make definitions from a snapshot, and reload them when the manifest changes."""
