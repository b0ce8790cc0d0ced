"""What a network has learned and how much room is left: pure functions, and the runs that measure them."""
