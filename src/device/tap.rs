//! A TAP device: Ethernet frames to and from the Linux kernel (`Documentation/networking/tuntap`).
//!
//! Most of what is `unsafe` in the crate is here: the ioctls that attach to the device and ask for its
//! settings.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Opcode, Updater, ioctl, opcode};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

use super::offload::{self, Merged};
use super::{DeviceCounters, Interest, Received};
use crate::wire::ethernet::{ETHERNET_HEADER, Mac, ethertype_of_packet, write_ethernet_header};

const NODE: &str = "/dev/net/tun";
/// `IFNAMSIZ` without the zero at the end.
const LONGEST_NAME: usize = 15;

const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);
const TUNSETOFFLOAD: Opcode = opcode::write::<u32>(b'T', 208);
const SIOCGIFFLAGS: Opcode = 0x8913;
const SIOCSIFFLAGS: Opcode = 0x8914;
const SIOCGIFMTU: Opcode = 0x8921;

const IFF_TUN: u16 = 0x0001;
const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;
const IFF_UP: u16 = 0x0001;

/// `TUN_F_CSUM`, `TUN_F_TSO4` and `TUN_F_TSO6`.
const OFFLOADS: usize = 0x01 | 0x02 | 0x04;

/// The Ethernet address that stands for the kernel where there is no Ethernet.
pub(crate) const OTHER_END: Mac = [0x02, 0, 0, 0, 0, 0xfe];

/// What passes the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `IFF_TAP`: Ethernet frames.
    Ethernet,
    /// `IFF_TUN`: IP packets. They are given, and taken, with an Ethernet header.
    Ip,
}

/// `struct ifreq`, which has at most 24 bytes after the name.
#[repr(C, align(8))]
struct Request {
    name: [u8; LONGEST_NAME + 1],
    value: [u8; 24],
}

impl Request {
    fn new(name: &str) -> Request {
        let mut request = Request { name: [0; LONGEST_NAME + 1], value: [0; 24] };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        request
    }

    fn with_flags(name: &str, flags: u16) -> Request {
        let mut request = Request::new(name);
        request.value[..2].copy_from_slice(&flags.to_ne_bytes());
        request
    }

    fn flags(&self) -> u16 {
        u16::from_ne_bytes([self.value[0], self.value[1]])
    }

    fn number(&self) -> i32 {
        let [a, b, c, d, ..] = self.value;
        i32::from_ne_bytes([a, b, c, d])
    }

    /// Attaches the descriptor to the device, which is made if there is none.
    fn attach(&mut self, tun: &File) -> Result<(), Errno> {
        // SAFETY: TUNSETIFF reads and writes one `struct ifreq` (drivers/net/tun.c, which copies
        // `sizeof(struct ifreq)` bytes, 40 at most), and `Request` is one.
        unsafe { ioctl(tun, Updater::<TUNSETIFF, Request>::new(self)) }
    }

    fn get_flags(&mut self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        // SAFETY: SIOCGIFFLAGS reads and writes one `struct ifreq` (netdevice(7)).
        unsafe { ioctl(socket, Updater::<SIOCGIFFLAGS, Request>::new(self)) }
    }

    fn set_flags(&mut self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        // SAFETY: SIOCSIFFLAGS reads one `struct ifreq` (netdevice(7)).
        unsafe { ioctl(socket, Updater::<SIOCSIFFLAGS, Request>::new(self)) }
    }

    fn get_mtu(&mut self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        // SAFETY: SIOCGIFMTU reads and writes one `struct ifreq` (netdevice(7)).
        unsafe { ioctl(socket, Updater::<SIOCGIFMTU, Request>::new(self)) }
    }
}

/// Says what the kernel may leave to this process.
fn set_offloads(tun: &File, offloads: usize) -> Result<(), Errno> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value (drivers/net/tun.c), and knows none but
    // those of `OFFLOADS`, or fails.
    unsafe { ioctl(tun, IntegerSetter::<TUNSETOFFLOAD>::new_usize(offloads)) }
}

/// A TAP or TUN device, attached to this process.
pub(crate) struct Tap {
    file: File,
    name: String,
    mode: Mode,
    mtu: usize,
    /// The Ethernet address that arriving frames are for, where the device has none.
    own: Mac,
    is_down: bool,
    /// There may be something to read.
    is_readable: bool,
    /// A frame may stand for several, in both directions.
    merges: bool,
    pub(super) counters: DeviceCounters,
}

impl Tap {
    /// Attaches to the device called `name`. One that does not exist is made, if this process
    /// may, and lives as long as it is attached.
    pub(crate) fn open(name: &str, mode: Mode) -> io::Result<Tap> {
        let is_fine = |octet: u8| octet.is_ascii_graphic() && octet != b'/' && octet != b'%';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_fine) {
            let why = format!(
                "{name:?} cannot be the name of a device: give 1 to {LONGEST_NAME} visible \
                 characters without '/' and '%', such as tap0"
            );
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(NODE)
            .map_err(|error| no_node(&error))?;
        rustix::io::ioctl_fionbio(&file, true)?;
        let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
        let existed = netdevice::name_to_index(&socket, name).is_ok();
        let kind = match mode {
            Mode::Ethernet => IFF_TAP,
            Mode::Ip => IFF_TUN,
        };
        let mut request = Request::with_flags(name, kind | IFF_NO_PI | IFF_VNET_HDR);
        request.attach(&file).map_err(|errno| not_attached(name, mode, existed, errno))?;
        let mut flags = Request::new(name);
        flags.get_flags(socket.as_fd())?;
        if flags.flags() & IFF_UP == 0 {
            if existed {
                let why = format!(
                    "{name} is down, so nothing would pass it: bring it up first, as root, with\n  \
                     ip link set {name} up"
                );
                return Err(io::Error::new(ErrorKind::NetworkDown, why));
            }
            Request::with_flags(name, flags.flags() | IFF_UP).set_flags(socket.as_fd())?;
        }
        let mut mtu = Request::new(name);
        mtu.get_mtu(socket.as_fd())?;
        let mtu = usize::try_from(mtu.number()).unwrap_or_default();
        Ok(Tap {
            file,
            name: name.to_owned(),
            mode,
            mtu,
            own: [0; 6],
            is_down: false,
            is_readable: true,
            merges: false,
            counters: DeviceCounters::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Largest IP packet in bytes, as the device was set when it was opened.
    pub(crate) fn mtu(&self) -> usize {
        self.mtu
    }

    pub(crate) fn set_own(&mut self, mac: Mac) {
        self.own = mac;
    }

    pub(super) fn interest(&self) -> Interest<'_> {
        Interest { descriptor: self.file.as_fd(), writable: false }
    }

    pub(super) fn note_ready(&mut self, ready: &[bool]) {
        self.is_readable = ready.first().is_some_and(|ready| *ready);
    }

    pub(super) fn set_offload(&mut self, is_wanted: bool) -> bool {
        // One that cannot is as good, and slower.
        let offloads = if is_wanted { OFFLOADS } else { 0 };
        self.merges = set_offloads(&self.file, offloads).is_ok() && is_wanted;
        self.merges
    }

    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        if !self.is_readable {
            return Ok(None);
        }
        let skip = self.skipped();
        let mut header = [0; offload::HEADER];
        let len = loop {
            let mut pieces = [IoSliceMut::new(&mut header), IoSliceMut::new(&mut buffer[skip..])];
            match self.file.read_vectored(&mut pieces) {
                Ok(len) => break skip + len.saturating_sub(offload::HEADER),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return Ok(None);
                }
                Err(error) => return Err(self.gone(&error)),
            }
        };
        if self.mode == Mode::Ip {
            let ethertype = ethertype_of_packet(&buffer[skip..]);
            write_ethernet_header(buffer, self.own, OTHER_END, ethertype);
        }
        self.counters.note_received(len);
        Ok(Some(Received { len, checksum: offload::checksum_of(&header) }))
    }

    pub(super) fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let bytes = &frame[self.skipped().min(frame.len())..];
        self.write(&[IoSlice::new(&[0; offload::HEADER]), IoSlice::new(bytes)], frame.len())
    }

    pub(super) fn send_all<'f>(
        &mut self,
        mut frames: impl Iterator<Item = &'f [u8]> + Clone,
    ) -> io::Result<()> {
        loop {
            let merged = if self.merges {
                offload::merge(frames.clone(), self.mode == Mode::Ip)
            } else {
                None
            };
            match merged {
                Some(merged) => self.send_merged(&merged, &mut frames)?,
                None => match frames.next() {
                    Some(frame) => self.send(frame)?,
                    None => return Ok(()),
                },
            }
        }
    }

    fn send_merged<'f>(
        &mut self,
        merged: &Merged,
        frames: &mut impl Iterator<Item = &'f [u8]>,
    ) -> io::Result<()> {
        let mut pieces = Vec::with_capacity(2 + merged.count);
        pieces.push(IoSlice::new(&merged.header));
        pieces.push(IoSlice::new(&merged.headers()[self.skipped()..]));
        let payloads = frames.take(merged.count).map(|frame| &frame[merged.headers_len..]);
        pieces.extend(payloads.map(IoSlice::new));
        self.write(&pieces, merged.len)
    }

    /// How much of a frame the device does not know.
    fn skipped(&self) -> usize {
        match self.mode {
            Mode::Ethernet => 0,
            Mode::Ip => ETHERNET_HEADER,
        }
    }

    fn write(&mut self, pieces: &[IoSlice<'_>], len: usize) -> io::Result<()> {
        loop {
            let error = match self.file.write_vectored(pieces) {
                Ok(_) => {
                    if std::mem::take(&mut self.is_down) {
                        tracing::info!(target: "glassnet::device", device = %self.name, "up");
                    }
                    self.counters.note_sent(len);
                    return Ok(());
                }
                Err(error) => error,
            };
            match (error.kind(), Errno::from_io_error(&error)) {
                (ErrorKind::Interrupted, _) => {}
                // The interface is down: what is sent is lost, as on a cable that is unplugged.
                (_, Some(Errno::IO)) => {
                    if !std::mem::replace(&mut self.is_down, true) {
                        tracing::warn!(target: "glassnet::device", device = %self.name, "down");
                    }
                    self.counters.dropped += 1;
                    return Ok(());
                }
                // No room, or a frame that the kernel does not take.
                (ErrorKind::WouldBlock, _) | (_, Some(Errno::NOBUFS | Errno::INVAL)) => {
                    self.counters.dropped += 1;
                    return Ok(());
                }
                _ => return Err(self.gone(&error)),
            }
        }
    }

    fn gone(&self, error: &io::Error) -> io::Error {
        let name = &self.name;
        match Errno::from_io_error(error) {
            Some(Errno::BADFD | Errno::NODEV) => {
                io::Error::new(ErrorKind::NotConnected, format!("the device {name} was removed"))
            }
            _ => io::Error::new(error.kind(), format!("{name}: {error}")),
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // Who attaches next may not know of it.
        let _ = set_offloads(&self.file, 0);
    }
}

fn no_node(error: &io::Error) -> io::Error {
    let help = match error.kind() {
        ErrorKind::NotFound => {
            "this kernel offers no TAP devices here; load the driver, as root, with\n  \
             modprobe tun\nor, in a container, start it with\n  --device /dev/net/tun\n\
             Two glassnet processes need none: see --cable"
        }
        ErrorKind::PermissionDenied => {
            "this user may not open it; allow it, as root, with\n  chmod 666 /dev/net/tun"
        }
        _ => "TAP devices cannot be used here; two glassnet processes need none: see --cable",
    };
    io::Error::new(error.kind(), format!("cannot open {NODE}: {error}: {help}"))
}

fn not_attached(name: &str, mode: Mode, existed: bool, errno: Errno) -> io::Error {
    let kind = match mode {
        Mode::Ethernet => "tap",
        Mode::Ip => "tun",
    };
    let why = match errno {
        Errno::PERM if existed => format!(
            "it belongs to another user; give it to yourself, as root, with\n  \
             ip link delete {name} && ip tuntap add dev {name} mode {kind} user \"$SUDO_USER\" && \
             ip link set {name} up\n{}",
            without_root()
        ),
        Errno::PERM => format!(
            "only root makes devices; make one for yourself with\n  \
             sudo ip tuntap add dev {name} mode {kind} user \"$USER\" && \
             sudo ip address add 192.0.2.1/24 dev {name} && sudo ip link set {name} up\n{}",
            without_root()
        ),
        Errno::BUSY => format!(
            "another process is attached to it; end that one, or use a device of your own; \
             this may name it\n  grep -l 'iff:.{name}' /proc/[0-9]*/fdinfo/*"
        ),
        Errno::INVAL if existed => format!(
            "it is no {kind} device, or has other settings (multi_queue, pi); its settings are \
             shown by\n  ip -details link show {name}"
        ),
        errno => format!("{}", io::Error::from(errno)),
    };
    io::Error::new(io::Error::from(errno).kind(), format!("cannot attach to {name}: {why}"))
}

/// How to come by a device without being root.
fn without_root() -> &'static str {
    "or, without root, in a network of your own (nothing outside can reach it) with\n  \
     unshare --user --map-root-user --net\nand there the same command"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_kernel_would_change_or_cut_are_refused() {
        for name in ["", "tap%d", "a/b", "sixteen-letters-", "tap 0", "täp"] {
            let error = Tap::open(name, Mode::Ethernet).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn what_is_said_of_a_device_that_is_not_ours_has_the_commands_that_help() {
        let said = |existed, errno| not_attached("tap7", Mode::Ethernet, existed, errno);
        let error = said(false, Errno::PERM);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("ip tuntap add dev tap7 mode tap user \"$USER\""));
        assert!(error.to_string().contains("unshare --user --map-root-user --net"));
        assert!(said(true, Errno::PERM).to_string().contains("another user"));
        assert!(said(true, Errno::BUSY).to_string().contains("another process"));
        assert!(said(true, Errno::INVAL).to_string().contains("no tap device"));
        let no_node = no_node(&io::Error::from(ErrorKind::NotFound));
        assert!(no_node.to_string().contains("modprobe tun"));
    }
}
