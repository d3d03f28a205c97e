"""What each cut of a user's own network leaks and costs, and where to split it."""
