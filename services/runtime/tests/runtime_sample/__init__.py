"""A service as small as one can be upon the runtime, for its tests. It borrows the workflow service's contract."""
