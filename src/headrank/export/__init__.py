"""What others take over: adapters for the hub, runs with their metadata, and finished studies as research objects."""
