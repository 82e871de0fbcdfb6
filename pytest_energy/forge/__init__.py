"""Comments on pull requests and merge requests."""
