"""Agents that learn games, one after another: a Double DQN with EWC on what its games share."""
