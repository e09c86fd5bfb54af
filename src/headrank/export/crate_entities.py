"""The JSON-LD of a study's crate: the entities that say what the files are, and what they were made with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from headrank.export.citation import PAPER, PAPER_AUTHORS, PAPER_TITLE
from headrank.export.citation_file import Author, Citation

METADATA = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
# The context of RO-Crate 1.1 has no term for a digest; the profile's own has this one.
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
]
_PAPER = f"https://arxiv.org/abs/{PAPER}"
_SPDX = re.compile(r"[A-Za-z0-9.+-]+")
_FORMATS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
    ".yaml": "application/yaml",
}
_FOLDERS = {
    "tables": "Tables as CSV, LaTeX and Markdown",
    "figures": "Figures",
    "runs": "Rankings by backbone, benchmark and method: TREC runs, their metadata in the ir_metadata schema, scores",
    "metrics": "Values per query and tests, from which tables and figures are made",
    "heads": "Attention heads that were chosen, per backbone and criterion; query heads, counted from 0",
}
_FILES = {
    "manifest.sha256": "SHA-256 of every file of the study, those included that are not in this crate",
    "provenance.json": "Code, software, configuration, models, collections, machine and time",
    "configuration.json": "The study's configuration with all defaults",
    "leakage.json": "Training queries that are test queries too, or nearly",
}

Entity = dict[str, Any]


def graph(
    files: Mapping[str, tuple[int, str]], provenance: Mapping[str, Any], licence: str, citation: Citation
) -> dict[str, Any]:
    """The whole metadata file. files: path in the crate -> bytes and SHA-256."""
    folders = dict.fromkeys(name.split("/")[0] for name in files if "/" in name)
    loose = [name for name in files if "/" not in name]
    software, made_with = _software(provenance, citation)
    inputs = [*_models(provenance["models"]), *_collections(provenance["collections"])]
    authors = [_author(author) for author in citation.authors]
    study = provenance["configuration"]["values"]["name"]
    written = provenance["written"]
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Results of the study {study}",
        "description": (
            f"Tables, figures, rankings and their provenance from the study {study}, made by {citation.title}, an"
            f" independent reimplementation of HeadRank (arXiv:{PAPER}). Texts of collections and weights of models are"
            " not included; the manifest has their digests."
        ),
        "datePublished": written,
        "license": {"@id": _licence(licence)["@id"]},
        "author": _refs(authors),
        "citation": {"@id": _PAPER},
        "conformsTo": {"@id": PROFILE},
        "mentions": {"@id": "#study"},
        "hasPart": [*({"@id": f"{name}/"} for name in folders), *({"@id": _id(name)} for name in loose)],
    }
    action: Entity = {
        "@id": "#study",
        "@type": "CreateAction",
        "name": f"The study {study}",
        "description": f"One run of the workflow, resumed or not, on {_machine(provenance['machine'])}",
        "instrument": {"@id": software["@id"]},
        "object": [{"@id": "configuration.json"}, *_refs(inputs)],
        "result": [{"@id": f"{name}/"} for name in folders],
        "endTime": written,
    }
    entities = [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        root,
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        # The crate's and the software's may be the same.
        *{entity["@id"]: entity for entity in map(_licence, (licence, citation.licence))}.values(),
        *authors,
        _paper(),
        action,
        software,
        *made_with,
        *inputs,
        *(_folder(name, files) for name in folders),
        *(_file(name, *told) for name, told in files.items()),
    ]
    return {"@context": CONTEXT, "@graph": list(map(_compact, entities))}


def _compact(entity: Entity) -> Entity:
    """RO-Crate 1.1 wants a single value as it is, not as a list of one."""
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value
        for key, value in entity.items()
        if value != []
    }


def _software(provenance: Mapping[str, Any], citation: Citation) -> tuple[Entity, list[Entity]]:
    code, told = provenance["code"], provenance["software"]
    packages: list[Entity] = [
        {
            "@id": f"https://pypi.org/project/{name}/{version}/",
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": version,
            "url": f"https://pypi.org/project/{name}/{version}/",
        }
        for name, version in sorted(told["packages"].items())
        if version
    ]
    packages.append(
        {
            "@id": f"https://www.python.org/#{told['python']}",
            "@type": "SoftwareApplication",
            "name": "Python",
            "softwareVersion": told["python"],
            "url": "https://www.python.org/",
        }
    )
    changed = {True: ", with uncommitted changes", False: "", None: ""}[code.get("dirty")]
    software: Entity = {
        "@id": citation.address or "#software",
        "@type": "SoftwareApplication",
        "name": citation.title,
        "softwareVersion": code.get("library", {}).get("version", "unknown"),
        "description": f"Commit {code['commit']}{changed}; SHA-256 of its sources: {code['sha256']}",
        "author": _refs(_author(author) for author in citation.authors),
        "license": {"@id": _licence(citation.licence)["@id"]},
        "citation": {"@id": _PAPER},
        "softwareRequirements": _refs(packages),
        **({"url": citation.address} if citation.address else {}),
    }
    return software, packages


def _models(models: Mapping[str, Mapping[str, Any]]) -> list[Entity]:
    found: list[Entity] = []
    for name, spec in models.items():
        place = (
            f"https://huggingface.co/{spec['id']}/tree/{spec['revision']}"
            if _on_hub(spec)
            else f"#model-{quote(name)}"
        )
        told = {"version": spec["revision"]} if _on_hub(spec) else {}
        file = spec.get("gguf", {}).get("file") or spec.get("file")
        about = (
            f"Backbone or reranker, source {spec.get('source', 'unknown')}{f', file {file}' if file else ''}"
        )
        found.append(
            {
                "@id": place,
                "@type": "CreativeWork",
                "name": name,
                "description": about,
                **told,
                "sha256": spec["sha256"],
            }
        )
    return found


def _on_hub(spec: Mapping[str, Any]) -> bool:
    return bool(spec.get("id") and spec.get("revision"))


def _collections(collections: Mapping[str, Mapping[str, Any]]) -> list[Entity]:
    return [
        {
            "@id": f"#collection-{quote(name)}",
            "@type": "CreativeWork",
            "name": name,
            "description": f"Collection, source {spec['source']}, used for {' and '.join(spec['roles'])}",
            **({"identifier": f"ir_datasets:{spec['id']}"} if spec.get("id") else {}),
        }
        for name, spec in collections.items()
    ]


def _machine(machine: Mapping[str, Any]) -> str:
    cpu, gpus = machine["cpu"], machine["gpus"]
    shown = ", ".join(gpu["name"] for gpu in gpus) or "no GPU"
    return (
        f"{cpu['cores']} cores ({cpu['model'] or cpu['architecture']}), {machine['memory_gib']} GiB, {shown}"
    )


def _folder(name: str, files: Mapping[str, Any]) -> Entity:
    inside = [{"@id": _id(file)} for file in files if file.startswith(f"{name}/")]
    return {
        "@id": f"{name}/",
        "@type": "Dataset",
        "name": name,
        "description": _FOLDERS[name],
        "hasPart": inside,
    }


def _file(name: str, size: int, digest: str) -> Entity:
    kind = _FORMATS.get(PurePosixPath(name).suffix, "text/plain")
    entity: Entity = {
        "@id": _id(name),
        "@type": "File",
        "name": PurePosixPath(name).name,
        "encodingFormat": kind,
    }
    return entity | {"contentSize": str(size), "sha256": digest} | _about(name)


def _about(name: str) -> Entity:
    return {"description": _FILES[name]} if name in _FILES else {}


def _author(author: Author) -> Entity:
    if not author.family:
        return {"@id": f"#{quote(author.name)}", "@type": "Organization", "name": author.name}
    told = {"name": author.name, "familyName": author.family, "givenName": author.given}
    return {"@id": author.orcid or f"#{quote(author.name)}", "@type": "Person", **told}


def _licence(given: str) -> Entity:
    place = f"https://spdx.org/licenses/{given}" if _SPDX.fullmatch(given) else given
    return {"@id": place, "@type": "CreativeWork", "name": given}


def _paper() -> Entity:
    authors = ", ".join(f"{given} {family}" for given, family in PAPER_AUTHORS)
    return {"@id": _PAPER, "@type": "ScholarlyArticle", "name": PAPER_TITLE, "description": f"By {authors}"}


def _refs(entities: Iterable[Entity]) -> list[Entity]:
    return [{"@id": entity["@id"]} for entity in entities]


def _id(name: str) -> str:
    return quote(name)
