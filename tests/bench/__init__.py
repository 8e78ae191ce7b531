"""The figures that the README quotes, measured against real servers. `python -m tests.bench [NAME]` prints them."""
