"""Data sets: rows that were uploaded to be replayed, and why others of their file were left out."""
