"""Evaluation: a ruleset against one input or a column of inputs, from the same parsed predicates."""
