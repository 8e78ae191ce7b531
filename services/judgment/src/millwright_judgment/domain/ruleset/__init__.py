"""Rulesets: decision tables with an input schema, read from a document with every fault at once."""
