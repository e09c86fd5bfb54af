"""The one error that is the caller's to mend."""


class InputError(ValueError):
    """Bad input: one line that names the file, line or key at fault and the way out.

    Entry points (pipeline stages, the command line) print it without a traceback and exit non-zero.
    """
