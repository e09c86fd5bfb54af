"""A finished study on a few pages: its main tables and figures as it made them, and where they come from."""
