"""What the tests of the judgment service stand on."""
