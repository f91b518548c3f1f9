"""From batches to a published version: encode, audit, stage, publish, read back."""
