"""`python -m reference.catalogue.grow`, for who adds an option or a value: append the rows that it needs (`make rows`).

What is there stays as it is, and so do the cases that are made of it.
"""

from __future__ import annotations

from reference.catalogue import TABLES

if __name__ == "__main__":
    for table in TABLES:
        print(f"{table.path.name}: {len(table.labels())} rows, {table.grow()} appended")
