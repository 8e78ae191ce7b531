"""What callers and operations make happen, each inside a transaction that it is given."""
