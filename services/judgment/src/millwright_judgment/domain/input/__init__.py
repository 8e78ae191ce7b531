"""Inputs: held against the schema and rounded once, one by one or in columns, with the same result."""
