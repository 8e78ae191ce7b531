"""What the tests of modules make: archives, good and hostile, and packages."""
