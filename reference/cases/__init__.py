"""What can be asked: models, losses, objectives, optimizers, batches, data, and the case that joins them.

Argument names and defaults are PyTorch's. Letters in shapes: B bags in a batch, L ids in a bag, N pairs, V rows of a
table, D its width, H hidden units, C classes, K negatives.
"""

from reference.cases.batches import BagBatch, Batch, BlockBatch, ContextBatch, DenseBatch, LookupBatch, PairBatch
from reference.cases.case import Case, Model
from reference.cases.cbow import CBOW
from reference.cases.classifier import ACTIVATIONS, Activation, Classifier
from reference.cases.data import Data, Dialogue, Drawn, Recorded, Text
from reference.cases.embedding import Embedding
from reference.cases.embedding_bag import EmbeddingBag
from reference.cases.linear import Linear
from reference.cases.losses import CrossEntropy, MSELoss
from reference.cases.model import Shapes
from reference.cases.objectives import HierarchicalSoftmax, NegativeSampling, Objective, SharedNegatives, Softmax
from reference.cases.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, SparseAdam
from reference.cases.skipgram import SkipGram

__all__ = [
    "ACTIVATIONS",
    "CBOW",
    "SGD",
    "Activation",
    "Adagrad",
    "Adam",
    "AdamW",
    "BagBatch",
    "Batch",
    "BlockBatch",
    "Case",
    "Classifier",
    "ContextBatch",
    "CrossEntropy",
    "Data",
    "DenseBatch",
    "Dialogue",
    "Drawn",
    "Embedding",
    "EmbeddingBag",
    "HierarchicalSoftmax",
    "Linear",
    "LookupBatch",
    "MSELoss",
    "Model",
    "NegativeSampling",
    "Objective",
    "Optimizer",
    "PairBatch",
    "RMSprop",
    "Recorded",
    "Shapes",
    "SharedNegatives",
    "SkipGram",
    "Softmax",
    "SparseAdam",
    "Text",
]
