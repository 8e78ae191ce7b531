"""What the tests of the modules service share."""
