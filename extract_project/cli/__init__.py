"""The `extract` command: one module per command, joined in `main`."""
