"""What association and analysis jobs have found."""
