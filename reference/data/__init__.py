"""What batches are made of: seeded streams, texts, alias tables, Huffman trees."""
