"""Backbones in GGUF files: where each file is, and how large its model is."""

from functools import cache

from headrank.cost.gguf_sizes import gguf_shape
from headrank.engine.gguf.find import find_gguf
from headrank.errors import InputError


@cache
def at_hand(model):
    """The file of a model on this machine, None where it has to come from the hub."""
    return find_gguf(MODELS[model]["file"], config["models"])


def gguf_fetched(model):
    """Where the file of a model is when the hub has given it."""
    return f"{RESULTS}gguf/{model}.gguf"


def gguf_file(model):
    """The file that a model is dequantised from: the one at hand if there is one."""
    place = at_hand(model)
    return str(place) if place else gguf_fetched(model)


@cache
def sizes_of(file):
    """The sizes of the model in a file; None where it is not there, or is no such file, which unpacking will say."""
    try:
        return gguf_shape(file)
    except InputError:
        return None
