"""Builds what an adversary may know, shows it the features, and keeps the clock."""
