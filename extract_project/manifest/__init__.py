"""Read SQL files into extracts, and extracts into a snapshot."""
