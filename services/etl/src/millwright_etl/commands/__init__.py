"""What callers can make happen, each inside a transaction that is given."""
