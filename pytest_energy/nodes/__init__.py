"""Several machines and processes in one reading."""
