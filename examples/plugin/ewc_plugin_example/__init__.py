"""An example of what an installed package can add to the service: a data source and a network."""
