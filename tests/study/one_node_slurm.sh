#!/usr/bin/env bash
# Starts a Slurm of one node on a Debian machine, as root, for test_slurm.py:
#
#   apt-get install slurm-wlm munge
#   pip install -c tools/constraints.txt '.[study-slurm]'
#   bash tests/study/one_node_slurm.sh
set -euo pipefail

place=${1:-/var/tmp/one_node_slurm}
host=$(hostname -s)
mkdir -p "$place"/{state,spool,log} /run/munge /var/log/munge
cat >/etc/slurm/slurm.conf <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$place/state
SlurmdSpoolDir=$place/spool
SlurmctldPidFile=$place/ctld.pid
SlurmdPidFile=$place/d.pid
SlurmctldLogFile=$place/log/ctld.log
SlurmdLogFile=$place/log/d.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(free -m | awk "/Mem/{print \$2}") State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
chown -R munge: /run/munge /var/log/munge
su -s /bin/sh munge -c 'munged --force'
slurmctld
slurmd
for _ in $(seq 30); do
  if [ "$(sinfo --noheader --format %T)" = idle ]; then
    sinfo
    exit
  fi
  sleep 1
done
echo 'the node is not idle; see its logs' >&2
exit 1
