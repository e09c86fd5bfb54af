"""Download one revision of a checkpoint from the Hugging Face hub: weights as safetensors, no code."""

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from headrank.backbone import read_config
from headrank.errors import InputError
from headrank.stage import stage

FILES = ["*.json", "*.safetensors", "merges.txt", "vocab.txt", "*.jinja", "tokenizer.model"]


def main(identifier, revision, directory):
    try:
        snapshot_download(identifier, revision=revision, local_dir=directory, allow_patterns=FILES)
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{identifier} at {revision}: the hub did not give it ({reason})") from error
    read_config(directory)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(snakemake.params.id, snakemake.params.revision, snakemake.output.backbone)
