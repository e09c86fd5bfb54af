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
    # As many as there are, so that nothing else runs beside it.
    threads: config["bench"]["threads"]
    resources:
        mem_mb=48000,
        runtime=480,
        gpu=GPU,
    params:
        library=library("measure"),
        plan={key: value for key, value in config["bench"].items() if key not in ("backbones", "threads")},
        device=config["device"],
    script:
        "../scripts/measure.py"
