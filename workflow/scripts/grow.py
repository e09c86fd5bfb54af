"""Time HeadRank's pass with one of its sizes varied at a time, on a model of one shape."""

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.bench.plan import Plan, measure_plan_growth
    from headrank.bench.record import write_rounds
    from headrank.data.atomic import write_parquet
    from headrank.jobs.job import job


def main(shape, plan, varied, device, outputs):
    base = Plan(backbone=shape, n=(20,), depths=(0.55,), methods=("headrank",), device=device, **plan)
    rounds = measure_plan_growth(base, varied)
    write_rounds(rounds, outputs.csv, outputs.about)
    write_parquet(outputs.rounds, rounds)


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.wildcards.shape,
            dict(snakemake.params.plan),
            snakemake.params.varied,
            snakemake.params.device,
            snakemake.output,
        )
