# Runs a command on two machines at once: network namespaces, each with a name and an address, joined by one cable.
# In the command, RANK stands for 0 and 1. The exit status is 0 if both succeed.
#   unshare --map-root-user --mount --net --uts bash tests/helpers/two_machines.sh COMMAND...
set -e
mount -t tmpfs tmpfs /run
printf '127.0.0.1 localhost\n10.0.0.1 machine-0\n10.0.0.2 machine-1\n' > /run/hosts
mount --bind /run/hosts /etc/hosts
ip netns add other
ip link add cable0 type veth peer name cable1 netns other

on_machine() {
    rank=$1
    shift
    hostname "machine-$rank"
    ip link set lo up
    ip address add "10.0.0.$((rank + 1))/24" dev "cable$rank"
    ip link set "cable$rank" up
    "${@//RANK/$rank}"
}
export -f on_machine

nsenter --net=/run/netns/other unshare --uts bash -e -c 'on_machine "$@"' - 1 "$@" &
on_machine 0 "$@"
wait $!
