"""Explanation: why a judgment is as it is, recomputed from the input and the ruleset; as data and in words."""
