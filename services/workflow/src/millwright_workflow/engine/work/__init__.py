"""Work that waits for workers outside: given out, kept alive, settled."""
