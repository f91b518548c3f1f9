"""The pages and pictures of docs/ that are made from the code.

`python -m reference` (`make docs`) writes the pages, `python -m reference.screenshots` takes the
pictures (`make screenshots`).
"""
