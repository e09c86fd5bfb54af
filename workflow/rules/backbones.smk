rule plant_backbone:
    input:
        passages=expand(built("collections/{c}/passages.jsonl"), c=collections.used),
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("plant_backbone/{backbone}.log"),
    benchmark:
        built("benchmarks/plant_backbone/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(study.models.of("planted")),
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=4000,
        runtime=60,
        gpu=0,
    params:
        library=library("plant_backbone"),
        spec=lookup("{backbone}/planted", within=study.models.specs),
    script:
        "../scripts/plant_backbone.py"


rule plant_realtext:
    input:
        passages=expand(built("collections/{c}/passages.jsonl"), c=collections.used),
        tokenizer=of_backbone(study.models.tokenizer_file),
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("plant_realtext/{backbone}.log"),
    benchmark:
        built("benchmarks/plant_realtext/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(study.models.of("realtext")),
    conda:
        "../../envs/model.yaml"
    threads: config["threads"]
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=0,
    params:
        library=library("plant_realtext"),
        spec=lookup("{backbone}/realtext", within=study.models.specs),
    script:
        "../scripts/plant_realtext.py"


rule link_backbone:
    input:
        config=of_backbone(study.models.checkpoint_config),
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("link_backbone/{backbone}.log"),
    benchmark:
        built("benchmarks/link_backbone/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(study.models.of("local")),
    localrule: True
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("link_backbone"),
        # Encoders of a first stage are not read by the engine.
        decoder=lambda wildcards: wildcards.backbone not in config["encoders"],
    script:
        "../scripts/link_backbone.py"


rule fetch_backbone:
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("fetch_backbone/{backbone}.log"),
    benchmark:
        built("benchmarks/fetch_backbone/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(study.models.of("hub")),
    retries: 2
    localrule: True
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
        gpu=0,
        downloads=1,
    params:
        library=library("fetch_backbone"),
        id=lookup("{backbone}/id", within=study.models.specs),
        revision=lookup("{backbone}/revision", within=study.models.specs),
    script:
        "../scripts/fetch_backbone.py"


rule fetch_gguf:
    output:
        file=built("gguf/{backbone}.gguf"),
    log:
        logged("fetch_gguf/{backbone}.log"),
    benchmark:
        built("benchmarks/fetch_gguf/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(study.models.of("gguf")),
    retries: 2
    localrule: True
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
        gpu=0,
        downloads=1,
    params:
        library=library("fetch_gguf"),
        id=lookup("{backbone}/id", within=study.models.specs),
        revision=lookup("{backbone}/revision", within=study.models.specs),
        file=lookup("{backbone}/file", within=study.models.specs),
        sha256=lookup("{backbone}/sha256", within=study.models.specs),
    script:
        "../scripts/fetch_gguf.py"


rule unpack_gguf:
    input:
        file=of_backbone(study.models.gguf_file),
    output:
        backbone=directory(built("backbones/{backbone}")),
    log:
        logged("unpack_gguf/{backbone}.log"),
    benchmark:
        built("benchmarks/unpack_gguf/{backbone}.tsv")
    wildcard_constraints:
        backbone=one_of(study.models.of("gguf")),
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * limits.unpacking_memory(wildcards.backbone),
        runtime=60,
        gpu=0,
    params:
        library=library("unpack_gguf"),
        spec=lambda wildcards: {
            key: study.models.specs[wildcards.backbone][key] for key in ("id", "revision", "file", "sha256")
        },
        # Encoders of a first stage are not read by the engine.
        decoder=lambda wildcards: wildcards.backbone not in config["encoders"],
    script:
        "../scripts/unpack_gguf.py"
