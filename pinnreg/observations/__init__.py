"""Measurements that a network is fitted to besides the PDE: what a config says of them, and the values themselves."""
