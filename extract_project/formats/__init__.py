"""File formats: write rows to a file and read them back. One module or package per format."""
