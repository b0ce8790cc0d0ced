"""What writes to several tables at once: a repository and what belongs to it, inside one transaction."""
