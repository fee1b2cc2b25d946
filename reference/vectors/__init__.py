"""Test vectors: a case with its weights, batches and exact values in a file of JSON, for any language."""
