"""What an attack must keep to, tried in seconds on tiny targets before it is submitted."""
