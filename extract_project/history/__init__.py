"""Published versions as readers see them: receipts, parts, differences, pins, retention."""
