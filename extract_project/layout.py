"""The names of the objects of a split extract."""

from __future__ import annotations

import re

PARTS_MANIFEST = "_manifest.json"
"""Name of the manifest object that lists the parts."""
PART_NAME = re.compile(r"part-([0-9]{5,})(\.[^/]*)?")
"""Name of a part object: its number, and its extension."""
