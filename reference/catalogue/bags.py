"""Bags alone, with a given upstream gradient."""

from __future__ import annotations

from reference.cases import Case, Drawn, EmbeddingBag
from reference.catalogue.pairwise import Row, Table, values
from reference.catalogue.spread import RUN, part, refused


def possible(row: Row) -> bool:
    """Whether PyTorch takes these options together, and each of them has an effect."""
    return not (
        (row.get("weighted") and row.get("mode") in ("mean", "max"))
        or (row.get("include_last_offset") and row.get("ragged") is False)
        or (row.get("norm_type") == 1 and "max_norm" in row and row["max_norm"] is None)
        or (row.get("sparse") and row.get("mode") == "max")
        or refused(row, all_rows=True)
    )


BAGS = Table(
    "bags",
    {
        "mode": values("mean", "sum", "max"),
        "padding_idx": values(None, 2),
        "ragged": values(False, True),
        "include_last_offset": values(False, True),
        "weighted": values(False, True),
        "max_norm": values(None, 0.9),
        "norm_type": values(2.0, 1.0),
        "ids_dtype": values("int64", "int32"),
        **RUN,
    },
    possible,
)


def bags() -> list[Case]:
    """Every pair of a bag's options: pooling, padding, ragged and empty bags, weights, norms, id dtypes."""
    own = "mode", "padding_idx", "include_last_offset", "weighted", "max_norm", "norm_type"
    return [
        Case(
            "",
            EmbeddingBag(13, 6, **part(row, *own)),
            data=Drawn((5, 4), used=11, **part(row, "ragged", "ids_dtype")),
            **part(row, *RUN),
        )
        for row in BAGS.rows()
    ]
