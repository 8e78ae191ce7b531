"""The rules of etl: pure, without I/O."""
