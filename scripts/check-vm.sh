#!/usr/bin/env bash
# A virtual machine on a cable: QEMU runs a Debian kernel that greets, pings and is greeted by
# hosts of glassnet, over IPv4 and IPv6. It takes half a minute, and 30 MB from Debian's archive.
#
# Needs qemu-system-x86_64 (package qemu-system-x86) and busybox (busybox-static), and apt-get to
# download a kernel, which is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in qemu-system-x86_64 busybox apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "check-vm: there is no $tool" >&2; exit 1; }
done
cargo build --quiet
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
glassnet="$target/debug/glassnet"
directory=$(mktemp -d)
pids=()
trap '[ "${#pids[@]}" = 0 ] || kill "${pids[@]}" 2>/dev/null || true; rm -rf "$directory"' EXIT
fail() {
    echo "check-vm: $1" >&2
    tail -n 40 "$directory/vm.log" "$directory/server.log" >&2 || true
    exit 1
}

# The meta package names the newest kernel.
image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
[ -n "$image" ] || fail "apt-cache knows no linux-image-cloud-amd64; try apt-get update"
(cd "$directory" && apt-get download -qq "$image" 2>/dev/null && dpkg-deb -x linux-image-*.deb kernel)
mkdir -p "$directory"/root/{bin,modules,proc,sys,dev}
cp "$(command -v busybox)" "$directory/root/bin/busybox"
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net; do
    find "$directory/kernel/lib/modules" -name "$module.ko" -exec cp {} "$directory/root/modules" \;
done
cat >"$directory/root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
# Some need others first, in an order that changes with the kernel.
for round in 1 2 3; do for module in /modules/*; do insmod $module 2>/dev/null; done; done
ip link set lo up
ip addr add 10.77.0.9/24 dev eth0
ip -6 addr add fd77::9/64 dev eth0
ip link set eth0 up
sleep 3
ping -c 3 10.77.0.1
ping -6 -c 3 fd77::1
echo "4: $(nc 10.77.0.1 12345 </dev/null)"
echo "6: $(nc fd77::1 12345 </dev/null)"
echo "hello from a virtual machine" | nc -l -p 8080 &
echo "vm: listens"
wait
poweroff -f
INIT
chmod +x "$directory/root/init"
(cd "$directory/root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip) >"$directory/initrd"

cable="$directory/cable"
"$glassnet" server --cable "$cable" --address 10.77.0.1/24 --address fd77::1/64 --pcap "$directory/vm.pcapng" 2>"$directory/server.log" >&2 &
server=$!
pids+=("$server")
for _ in $(seq 100); do [ -S "$cable" ] && break; sleep 0.05; done
qemu-system-x86_64 -m 256 -nographic -no-reboot -kernel "$directory"/kernel/boot/vmlinuz-* -initrd "$directory/initrd" \
    -append "console=ttyS0 quiet rdinit=/init" -device virtio-net-pci,netdev=n \
    -netdev stream,id=n,server=off,addr.type=unix,addr.path="$cable" </dev/null >"$directory/vm.log" 2>&1 &
qemu=$!
pids+=("$qemu")
for _ in $(seq 120); do
    grep -q 'vm: listens' "$directory/vm.log" && break
    kill -0 "$qemu" 2>/dev/null || fail "the virtual machine has ended"
    sleep 1
done
said=$("$glassnet" client --cable "$cable" --address 10.77.0.3/24 10.77.0.9 8080) || fail "it cannot be reached"
[ "$said" = "hello from a virtual machine" ] || fail "it said: $said"
wait "$qemu"
kill -INT "$server"
wait "$server"
[ "$(grep -c ' 0% packet loss' "$directory/vm.log")" = 2 ] || fail "ping lost packets"
grep -q '4: Thank you for connecting' "$directory/vm.log" || fail "it was not greeted over IPv4"
grep -q '6: Thank you for connecting' "$directory/vm.log" || fail "it was not greeted over IPv6"
[ "$(grep -c 'Got connection from' "$directory/server.log")" = 2 ] || fail "the server saw something else"
echo "check-vm: passed: $image"
