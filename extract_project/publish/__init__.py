"""From a staged result to a published version: uploads, compare-and-swap, rollback."""
