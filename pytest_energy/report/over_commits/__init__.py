"""A history as a page, a table and a few lines."""
