"""What skip-gram and CBOW share."""

from __future__ import annotations

from reference.cases.model import Shapes
from reference.cases.objectives import HierarchicalSoftmax, Objective, Softmax


class _Word2Vec:
    """What skip-gram and CBOW share: the words that are looked up, and the table that predicts."""

    num_embeddings: int
    embedding_dim: int
    objective: Objective
    given: str
    predicted: str

    @property
    def output(self) -> str:
        """The table that the objective holds the hidden vector against."""
        return "nodes.weight" if isinstance(self.objective, HierarchicalSoftmax) else self.predicted

    @property
    def shapes(self) -> Shapes:
        """The parameters' shapes, by name."""
        V, D = self.num_embeddings, self.embedding_dim
        return {self.given: (V, D), self.output: (V - isinstance(self.objective, HierarchicalSoftmax), D)}

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that can have row gradients."""
        return (self.given,) if isinstance(self.objective, Softmax) else (self.given, self.output)

    input_gradients = ()
