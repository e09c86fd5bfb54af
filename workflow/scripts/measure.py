"""Time every way to score a list, in turn with the others, on a model of one shape."""

from headrank.process.large_imports import uncollected

with uncollected(for_good=True):
    from headrank.bench.plan import Plan, measure_plan
    from headrank.bench.record import write_rounds
    from headrank.data.atomic import write_parquet
    from headrank.jobs.job import job


def main(shape, plan, device, outputs):
    plan = {key: tuple(value) if isinstance(value, list) else value for key, value in plan.items()}
    rounds = measure_plan(Plan(backbone=shape, device=device, **plan))
    write_rounds(rounds, outputs.csv, outputs.about)
    write_parquet(outputs.rounds, rounds)


if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.threads, snakemake.input, snakemake.output):
        main(
            snakemake.wildcards.shape,
            dict(snakemake.params.plan),
            snakemake.params.device,
            snakemake.output,
        )
