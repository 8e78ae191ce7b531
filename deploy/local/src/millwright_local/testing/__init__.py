"""What the tests of every service share: a client of its contract, its refusals, and itself on real servers."""
