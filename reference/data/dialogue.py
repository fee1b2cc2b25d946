"""The small run of a written dialogue on backpropagation."""

from __future__ import annotations

import numpy as np

DIALOGUE_IDS = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 5, 9]])

DIALOGUE_LABELS = np.array([0, 1, 0, 1])

DIALOGUE_CORPUS = "the cat sat on the mat\n\nthe dog barked\n\nthe dog sat on the mat"
