"""The names of objects beside the extracts: parts and their manifest, pages for people."""

from __future__ import annotations

import re

PARTS_MANIFEST = "_manifest.json"
"""Name of the manifest object that lists the parts."""
PART_NAME = re.compile(r"part-([0-9]{5,})(\.[^/]*)?")
"""Name of a part object: its number, and its extension."""
RUN_PARTS = "_parts"
"""Name of the folder, at the top of a destination, with the parts that a warehouse writes: below it
a folder for each extract, and for each of its runs, by its receipt. Being on top, it can have a
lifecycle rule of its own: its keys are written once, so no rule that keeps some versions of each
key would ever remove one.
"""

CATALOG_PAGE, CATALOG_JSON = "catalog/index.html", "catalog/catalog.json"
OPERATIONS_PAGE = "catalog/operations.html"
OPERATIONS_KEPT = "catalog/operations.json.gz"
"""What the next page of operations is made from."""
PAGES = (CATALOG_PAGE, CATALOG_JSON, OPERATIONS_PAGE, OPERATIONS_KEPT)
"""Objects below EXTRACT_DATA that are written again and again. Nothing else begins with their
names: the stack's lifecycle rules remove their old versions after a day."""
