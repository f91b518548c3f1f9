"""How rows become a file: parquet, csv, jsonl, arrow, and what can be chosen of each."""
