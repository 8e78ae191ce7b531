"""A plant that is made up: the same seed gives the same rows, and tells the facts that must come of them.

It knows nothing of how the pipeline computes: `expected` adds up what rows say at last, in plain Python.
"""
