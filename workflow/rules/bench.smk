rule measure:
    output:
        rounds=built("metrics/speed/{shape}.parquet"),
        csv=built("bench/{shape}.csv"),
        about=built("bench/{shape}.json"),
    log:
        logged("measure/{shape}.log"),
    wildcard_constraints:
        shape=one_of(config["bench"]["backbones"]),
    conda:
        "../../envs/model.yaml"
    # All that there are, so that nothing else runs at the same time.
    threads: config["bench"]["threads"]
    resources:
        mem_mb=48000,
        runtime=480,
        gpu=GPU,
    params:
        library=library("measure"),
        plan={
            key: value
            for key, value in config["bench"].items()
            if key not in ("backbones", "threads", "growth")
        },
        device=config["device"],
    script:
        "../scripts/measure.py"


rule grow:
    output:
        rounds=built("metrics/growth/{shape}.parquet"),
        csv=built("bench/growth-{shape}.csv"),
        about=built("bench/growth-{shape}.json"),
    log:
        logged("grow/{shape}.log"),
    wildcard_constraints:
        shape=one_of(config["bench"]["backbones"]),
    conda:
        "../../envs/model.yaml"
    threads: config["bench"]["threads"]
    resources:
        mem_mb=48000,
        runtime=480,
        gpu=GPU,
    params:
        library=library("grow"),
        plan={key: config["bench"][key] for key in ("words", "rounds", "dtype", "tokenizer")},
        varied=config["bench"]["growth"],
        device=config["device"],
    script:
        "../scripts/grow.py"
