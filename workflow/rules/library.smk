"""Which files of the library decide what a rule's script writes."""

from headrank.workflow.library import library_digest


def library(script, methods=None, loads=()):
    """The digest that a rule has as a parameter, so that a change in a file which its script loads reruns it.

    methods: those that the script builds, or whose criteria choose heads in it; what other methods do is not its business.
    loads: modules that it loads by their names.
    """
    return library_digest(str(workflow.source_path(f"../scripts/{script}.py")), methods, loads)
