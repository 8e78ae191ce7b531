"""Documents to test with, put together from their parts."""
