"""What callers can make happen, each inside a transaction that is given.

A command locks what it decides on, asks the domain, and writes the decision with its event.
"""
