"""The catalogue for those who read extracts: a page and a JSON document in the data bucket."""
