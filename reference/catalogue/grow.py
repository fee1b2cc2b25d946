"""`python -m reference.catalogue.grow` (`make rows`): append the rows that a new option or value needs.

Old rows, and the cases made from them, do not change.
"""

from __future__ import annotations

from reference.catalogue import TABLES

if __name__ == "__main__":
    for table in TABLES:
        print(f"{table.path.name}: {len(table.labels())} rows, {table.grow()} appended")
