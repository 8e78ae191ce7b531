"""The rules of judgment: pure, without I/O."""
