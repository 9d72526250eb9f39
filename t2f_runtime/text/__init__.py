"""Descriptions into tokens: SentencePiece, word pieces, and whole words."""
