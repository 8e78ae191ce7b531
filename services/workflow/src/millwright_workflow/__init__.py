"""Millwright's workflow service: versions of workflows, their releases, and the instances that run them."""
