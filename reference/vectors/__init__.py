"""Test vectors: JSON files with a case, its weights, batches and exact values, for any language."""
