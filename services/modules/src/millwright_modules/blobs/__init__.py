"""Blobs: bytes named by their SHA-256, in one of several places that all replicas reach."""
