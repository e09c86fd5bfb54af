#!/usr/bin/env bash
# The mini study through a real Slurm: `make test-slurm` runs it. It starts a cluster of this machine and stops it
# at the end, whatever happens. Where Slurm is missing, root installs Debian's.
#
#   HEADRANK_LOCAL_RUN     directory in which the study has been run locally; without it that is done first
#   HEADRANK_SLURM_STUDY   the study's configuration, by default config/mini.yaml
#   HEADRANK_SLURM_KEEP    a directory to keep: results and logs of everything (by default a temporary one)
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/slurm
python=.venv/bin/python

die() {
    echo "error: $*" >&2
    exit 1
}

there() {
    local program
    for program in munged slurmctld slurmd sbatch; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || return 1
    done
}

install_slurm() {
    [ "$(id -u)" = 0 ] || die "Slurm is missing, and only root can install it: apt-get install slurm-wlm munge"
    command -v apt-get >/dev/null || die "Slurm is missing, and without apt-get it is not installed here; install it"
    echo "installing slurm-wlm and munge"
    local log
    log=$(mktemp)
    if ! { timeout -s KILL 300 apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive timeout -s KILL 900 apt-get install -y -qq --no-install-recommends \
            slurm-wlm munge; } >"$log" 2>&1; then
        die "Slurm cannot be installed: $(tail -n 1 "$log"); see $log"
    fi
    rm -f "$log"
}

"$python" -c 'import snakemake_executor_plugin_slurm' 2>/dev/null ||
    die "the plugin for Slurm is missing; run 'make test-slurm', which installs it"
there || install_slurm

state=${HEADRANK_SLURM_KEEP:-$(mktemp -d "${TMPDIR:-/tmp}/headrank-slurm-XXXXXX")}
pid=
finish() {
    status=$?
    trap - EXIT INT TERM HUP
    # timeout leads a process group of its own, pytest in it.
    if [ -n "$pid" ]; then kill -KILL -- "-$pid" 2>/dev/null || true; fi
    # Left only where pytest was killed: Snakemake would go on asking a cluster that is gone.
    for group in "$state"/group-*; do
        if [ -e "$group" ]; then kill -KILL -- "-${group##*-}" 2>/dev/null || true; fi
    done
    "$here/cluster.sh" down "$state" || true
    if [ "$status" != 0 ]; then
        echo "error: the test on Slurm failed; logs are in $state" >&2
    elif [ -z "${HEADRANK_SLURM_KEEP:-}" ]; then
        rm -rf "$state"
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

"$here/cluster.sh" up "$state"
unset SLURM_CONF
export HEADRANK_SLURM_STATE=$state
# Model jobs of the mini study have one thread; without this PyTorch would take all cores for each.
export OMP_NUM_THREADS=1
# In the background, so that a signal to this script is handled at once and the cluster taken down.
timeout -s KILL 4000 "$python" -m pytest "$here/interrupted_run.py" "$@" &
pid=$!
wait "$pid"
