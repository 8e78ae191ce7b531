"""What callers can make happen: one function a wish, each inside the transaction that it is given.

A command reads and locks through the store, lets the domain decide, and has the store write the decision together
with its events. It does not commit.
"""
