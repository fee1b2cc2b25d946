"""What can be asked for: models, losses, objectives, optimizers, batches, data, and the case that joins them.

Argument names and defaults are PyTorch's. Letters in shapes: B bags or sequences in a batch, L ids in a bag, T in a
sequence, N pairs, V rows of a table, D its width, H hidden units or features, C classes, K negatives, O output
channels, S windows.
"""

from reference.cases.batches import (
    BATCHES,
    BagBatch,
    Bags,
    Batch,
    BlockBatch,
    ContextBatch,
    ContextNegativesBatch,
    ContextPathsBatch,
    ConvBatch,
    CooccurrenceBatch,
    DenseBatch,
    LabelledBags,
    LabelledBatch,
    LookupBatch,
    PairBatch,
    PairNegativesBatch,
    PairPathsBatch,
    RaggedBagBatch,
    RaggedLabelledBatch,
    RaggedWeightedBagBatch,
    SequenceBatch,
    WeightedBagBatch,
)
from reference.cases.case import Case
from reference.cases.cbow import CBOW
from reference.cases.classifier import ACTIVATIONS, Activation, Classifier
from reference.cases.conv1d import Conv1d, Padding, windows
from reference.cases.data import Data, Dialogue, Drawn, Recorded, Text
from reference.cases.embedding import Embedding
from reference.cases.embedding_bag import EmbeddingBag
from reference.cases.glove import GloVe
from reference.cases.linear import Linear
from reference.cases.losses import CrossEntropy, MSELoss
from reference.cases.model import Model, Shapes
from reference.cases.objectives import HierarchicalSoftmax, NegativeSampling, Objective, SharedNegatives, Softmax
from reference.cases.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, SparseAdam
from reference.cases.skipgram import SkipGram
from reference.cases.text_cnn import TextCNN

MODELS: tuple[type[Model], ...] = (
    Embedding,
    EmbeddingBag,
    Linear,
    Conv1d,
    Classifier,
    TextCNN,
    SkipGram,
    CBOW,
    GloVe,
)
"""Every model that comes with twingrad."""

__all__ = [
    "ACTIVATIONS",
    "BATCHES",
    "CBOW",
    "MODELS",
    "SGD",
    "Activation",
    "Adagrad",
    "Adam",
    "AdamW",
    "BagBatch",
    "Bags",
    "Batch",
    "BlockBatch",
    "Case",
    "Classifier",
    "ContextBatch",
    "ContextNegativesBatch",
    "ContextPathsBatch",
    "Conv1d",
    "ConvBatch",
    "CooccurrenceBatch",
    "CrossEntropy",
    "Data",
    "DenseBatch",
    "Dialogue",
    "Drawn",
    "Embedding",
    "EmbeddingBag",
    "GloVe",
    "HierarchicalSoftmax",
    "LabelledBags",
    "LabelledBatch",
    "Linear",
    "LookupBatch",
    "MSELoss",
    "Model",
    "NegativeSampling",
    "Objective",
    "Optimizer",
    "Padding",
    "PairBatch",
    "PairNegativesBatch",
    "PairPathsBatch",
    "RMSprop",
    "RaggedBagBatch",
    "RaggedLabelledBatch",
    "RaggedWeightedBagBatch",
    "Recorded",
    "SequenceBatch",
    "Shapes",
    "SharedNegatives",
    "SkipGram",
    "Softmax",
    "SparseAdam",
    "Text",
    "TextCNN",
    "WeightedBagBatch",
    "windows",
]
