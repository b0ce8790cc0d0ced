"""Every query of the service. Repositories work inside one transaction and return frozen records."""
