#!/usr/bin/env bash
# A Slurm cluster of this one machine, with a GPU that is none, for tests:
#
#   cluster.sh up DIRECTORY        start it
#   cluster.sh down DIRECTORY      cancel its jobs and stop it
#
# Everything of it, keys, sockets and logs, is in DIRECTORY, but for the link /run/slurm/conf, by which commands of
# Slurm find it: SLURM_CONF does not do, as Snakemake's plugin keeps it from what it starts within a job. A machine
# that belongs to a cluster is left alone. It needs slurmctld, slurmd and munged, and neither systemd nor a database.
# Keep DIRECTORY's path short, a socket is in it.
set -euo pipefail

die() {
    echo "error: $*" >&2
    exit 1
}

# Numbers in place of free ports: two of these clusters cannot run on one machine, and the second says so.
CONTROLLER_PORT=36817
NODE_PORT=36818

alive() {
    [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

# Where commands of Slurm look when there is no /etc/slurm/slurm.conf.
LINK=/run/slurm/conf

publish() {
    [ ! -e /etc/slurm/slurm.conf ] || die "this machine has a Slurm of its own (/etc/slurm/slurm.conf); use another one"
    if [ -e "$LINK" ]; then
        # A link that a killed test has left behind is no cluster.
        [ -L "$LINK" ] && ! alive "$LINK/slurmctld.pid" ||
            die "this machine has a Slurm of its own ($LINK); use another one"
    fi
    mkdir -p "$(dirname "$LINK")"
    ln -sfn "$state" "$LINK"
}

configure() {
    local host user
    host=$(hostname -s)
    user=$(id -un)
    getent hosts "$host" >/dev/null || die "the host name $host does not resolve; add '127.0.0.1 $host' to /etc/hosts"
    mkdir -p "$state/controller" "$state/node" "$state/munge"
    # munged refuses places that others may write to, and clients have to get at its socket.
    chmod 755 "$state" "$state/munge"
    (umask 077 && head -c 128 /dev/urandom >"$state/munge/key")
    # Memory is what jobs ask for and not what the machine has (config_overrides): as on a cluster, the scheduler counts
    # requests. No accounting, as on many small clusters. MinJobAge: finished jobs stay in sight of squeue.
    cat >"$state/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$CONTROLLER_PORT
SlurmdPort=$NODE_PORT
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$state/munge/socket
CredType=cred/munge
StateSaveLocation=$state/controller
SlurmdSpoolDir=$state/node
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
SlurmdParameters=config_overrides
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
MinJobAge=300
KillWait=5
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$state/jobs.txt
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=2-00:00:00 State=UP
CONF
    printf 'NodeName=%s Name=gpu Count=1 File=/dev/null\n' "$host" >"$state/gres.conf"
}

up() {
    local program
    for program in munged slurmctld slurmd sinfo; do
        command -v "$program" >/dev/null || die "$program is missing; on Debian: apt-get install slurm-wlm munge"
    done
    publish
    configure
    munged --key-file="$state/munge/key" --socket="$state/munge/socket" --pid-file="$state/munge/pid" \
        --log-file="$state/munge/log" --seed-file="$state/munge/seed"
    slurmctld -f "$state/slurm.conf"
    slurmd -f "$state/slurm.conf"
    SECONDS=0
    while [ "$SECONDS" -lt 60 ]; do
        # Without a controller sinfo would try for minutes.
        if timeout -s KILL 5 sinfo --noheader --format %T 2>/dev/null | grep -qx idle; then
            return
        fi
        sleep 0.5
    done
    tail -n 20 "$state"/*.log "$state/munge/log" >&2
    die "the cluster does not come up; see the logs above"
}

down() {
    local pid
    if alive "$state/slurmctld.pid"; then
        timeout -s KILL 10 scancel --user="$(id -un)" 2>/dev/null || true
        SECONDS=0
        while [ "$SECONDS" -lt 30 ]; do
            [ -n "$(timeout -s KILL 5 squeue --noheader 2>/dev/null)" ] || break
            sleep 1
        done
    fi
    for pid in "$state/slurmd.pid" "$state/slurmctld.pid" "$state/munge/pid"; do
        alive "$pid" || continue
        kill "$(cat "$pid")" || true
        for _ in $(seq 20); do
            alive "$pid" || break
            sleep 0.5
        done
        if alive "$pid"; then kill -KILL "$(cat "$pid")" || true; fi
    done
    if [ "$(readlink "$LINK")" = "$state" ]; then rm "$LINK"; fi
}

[ $# -eq 2 ] || die "usage: cluster.sh up|down DIRECTORY"
mkdir -p "$2"
state=$(cd "$2" && pwd)
# Another cluster's, of the shell that this was started from.
unset SLURM_CONF
PATH=$PATH:/usr/sbin:/sbin
case $1 in
up) up ;;
down) down ;;
*) die "usage: cluster.sh up|down DIRECTORY" ;;
esac
