"""Data sets: files that come in are read in a confined child process, and stored whole or not at all."""
