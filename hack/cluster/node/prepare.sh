#!/bin/sh
# Furnishes the namespaces that a node was given:
# prepare.sh FOLDER ADDRESS SERVICES [ADDRESS6 SERVICES6]
#
# Runs inside of them. Whatever a node's programs write outside of FOLDER goes to
# places that only exist here, and what they would set on the machine is set
# already or out of reach; so the machine stays as it is.
set -eu
folder=$1 address=$2 services=$3 address6=${4-} services6=${5-}

# Puts an empty folder in the place of $1, with all it had but the named entries.
shadow() {
	place=$1
	shift
	[ -d "$place" ] || return 0
	mkdir -p "$folder/old"
	mount --rbind "$place" "$folder/old"
	mount -t tmpfs -o mode=755 lateen "$place"
	for entry in "$folder"/old/* "$folder"/old/.[!.]*; do
		name=${entry##*/}
		case " $* " in *" $name "*) continue ;; esac
		if [ -L "$entry" ]; then
			cp -P "$entry" "$place/$name"
		elif [ -d "$entry" ]; then
			# mount itself may have made one meanwhile.
			mkdir -p "$place/$name"
			mount --rbind "$entry" "$place/$name"
		elif [ -e "$entry" ]; then
			: >"$place/$name"
			mount --bind "$entry" "$place/$name"
		fi
	done
	umount -l "$folder/old"
}
shadow /run containerd netns cni xtables.lock
shadow /var/lib containerd kubelet cni
shadow /var/log pods containers
for name in containerd kubelet; do
	mkdir -p "$folder/$name" "/var/lib/$name"
	mount --bind "$folder/$name" "/var/lib/$name"
done
mkdir -p "$folder/pods" /var/log/pods
mount --bind "$folder/pods" /var/log/pods

# The kubelet sets these for the whole machine unless it finds them so.
set_here() {
	mkdir -p "$folder/sysctl"
	[ -e "/proc/sys/$1" ] || return 0
	echo "$2" >"$folder/sysctl/${1##*/}"
	mount --bind "$folder/sysctl/${1##*/}" "/proc/sys/$1"
}
set_here vm/overcommit_memory 1
set_here vm/panic_on_oom 0
set_here kernel/panic 10
set_here kernel/panic_on_oops 1
set_here kernel/keys/root_maxkeys 1000000
set_here kernel/keys/root_maxbytes 25000000

# Mounts of a pod are to be seen by the node's programs, and by nobody else.
mount --make-rshared /

echo node >/proc/sys/kernel/hostname
ip link set lo up
# Only a place for the address: nothing is beyond it.
ip link add node0 type bridge
ip address add "$address/24" dev node0
ip link set node0 up
# Without a route the kernel refuses an address before kube-proxy's rules see it.
ip route add "$services" dev node0
echo 1 >/proc/sys/net/ipv4/ip_forward
if [ -n "$address6" ]; then
	ip address add "$address6/64" dev node0 nodad
	ip route add "$services6" dev node0
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
fi
