"""Measurements that are no row of the leaderboard: scripts, and what they share."""
