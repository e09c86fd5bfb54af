rule table:
    input:
        unpack(table_frames),
    output:
        csv=report(
            built("tables/{table}.csv"),
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        tex=built("tables/{table}.tex"),
        md=built("tables/{table}.md"),
    log:
        logged("table/{table}.log"),
    benchmark:
        built("benchmarks/table/{table}.tsv")
    wildcard_constraints:
        table=one_of(TABLES),
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("table"),
        options=table_options,
    script:
        "../scripts/table.py"


rule figure:
    input:
        unpack(figure_frames),
    output:
        pdf=built("figures/{figure}.pdf"),
        png=report(
            built("figures/{figure}.png"),
            caption="../report/figures.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        logged("figure/{figure}.log"),
    benchmark:
        built("benchmarks/figure/{figure}.tsv")
    wildcard_constraints:
        figure=one_of(FIGURES),
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        library=library("figure"),
        options=figure_options,
    script:
        "../scripts/figure.py"
