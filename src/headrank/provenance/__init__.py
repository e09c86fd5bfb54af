"""Where a results folder comes from: code, software, configuration, models, collections, machine and time."""

from headrank.provenance.record import NAME, SCHEMA, read_provenance, record

__all__ = ["NAME", "SCHEMA", "read_provenance", "record"]
