#!/bin/sh
# Boots a node: runs in the node's network, PID and mount namespaces, makes everything else that the node has to itself, and
# keeps containerd, kubelet and kube-proxy running.
#
#   boot.sh FOLDER NAME CGROUP PROGRAMS
#
# FOLDER/etc holds the configuration, FOLDER/lib and FOLDER/log are the node's disk, and FOLDER/../api-ready appears when
# kubelet may begin.
set -eu
folder=$1 name=$2 cgroup=$3 programs=$4

# mount_hierarchy CONTROLLERS TARGET: one hierarchy of cgroup v1, as far as our cgroup namespace shows it.
mount_hierarchy() {
    mkdir -p "$2"
    case $1 in
        name=*) mount -t cgroup -o "none,$1" cgroup "$2" ;;
        *) mount -t cgroup -o "$1" cgroup "$2" ;;
    esac
}

# make_child FOLDER: a cgroup, with the processors and memory of its parent where that is not inherited.
make_child() {
    mkdir -p "$1"
    for file in cpuset.cpus cpuset.mems; do
        if [ -e "$1/$file" ]; then cat "$1/../$file" >"$1/$file"; fi
    done
}

if [ -z "${HOLDFAST_NODE_STAGE-}" ]; then
    # A cgroup namespace begins where its first process is: first move into cgroups of our own, then make it.
    sed 's/^[0-9]*://' /proc/self/cgroup | while IFS=: read -r controllers own; do
        if [ -z "$controllers" ]; then continue; fi # the hierarchy of version 2
        target=/run/hierarchies/$controllers
        mount_hierarchy "$controllers" "$target"
        make_child "$target$own/$cgroup"
        make_child "$target$own/$cgroup/$name"
        echo $$ >"$target$own/$cgroup/$name/cgroup.procs"
        umount "$target"
    done
    HOLDFAST_NODE_STAGE=2 exec unshare --cgroup --uts --ipc -- /bin/sh "$0" "$@"
fi

hostname "$name"

mount -t tmpfs tmpfs /sys/fs/cgroup
sed 's/^[0-9]*://' /proc/self/cgroup | while IFS=: read -r controllers _; do
    if [ -n "$controllers" ]; then mount_hierarchy "$controllers" "/sys/fs/cgroup/${controllers#name=}"; fi
done

# A machine that boots has no cgroups of pods. Kubelet would look for the containers of each, for three seconds.
find /sys/fs/cgroup -mindepth 2 -depth -type d -exec rmdir {} + 2>/dev/null || true

mkdir -p "$folder/lib" "$folder/log"
mount --bind "$folder/lib" /var/lib
mount --bind "$folder/log" /var/log
mkdir -p /var/lib/kubelet/manifests # of static pods

# pretend SYSCTL VALUE: kubelet finds the value that it wants, and does not set it for the whole machine.
pretend() {
    mkdir -p "/run/pretended/${1%/*}"
    echo "$2" >"/run/pretended/$1"
    mount --bind "/run/pretended/$1" "/proc/sys/$1"
}
pretend vm/overcommit_memory 1
pretend vm/panic_on_oom 0
pretend kernel/panic 10
pretend kernel/panic_on_oops 1
pretend kernel/keys/root_maxkeys 1000000
pretend kernel/keys/root_maxbytes 25000000
pretend kernel/random/boot_id "$(cat /proc/sys/kernel/random/uuid)"

PATH=$programs:$PATH:/usr/sbin:/sbin
export PATH

# keep PROGRAM ARGUMENT...: as systemd would with Restart=always and RestartSec=1.
keep() {
    while :; do
        "$@" >>"/var/log/$1.log" 2>&1 </dev/null || true
        sleep 1
    done &
}

keep containerd --config "$folder/etc/containerd.toml"
until ctr version >/dev/null 2>&1; do sleep 0.02; done
ctr --namespace k8s.io images import --no-unpack "$folder/../pause.oci.tar" >>/var/log/import.log 2>&1
until [ -e "$folder/../api-ready" ]; do sleep 0.02; done
keep kubelet --config="$folder/etc/kubelet.json" --kubeconfig="$folder/etc/kubelet.kubeconfig" \
    --hostname-override="$name" --node-ip="$(cat "$folder/etc/node-ip")"
keep kube-proxy --kubeconfig="$folder/etc/kube-proxy.kubeconfig" --hostname-override="$name" --proxy-mode=nftables \
    --conntrack-max-per-core=0 --conntrack-min=0 --conntrack-tcp-timeout-established=0s \
    --conntrack-tcp-timeout-close-wait=0s --conntrack-udp-timeout=0s --conntrack-udp-timeout-stream=0s
wait
