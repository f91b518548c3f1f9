"""From a snapshot to definitions, and back into a running code location."""
