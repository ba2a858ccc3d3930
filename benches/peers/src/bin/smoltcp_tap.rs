//! smoltcp's own example loop (`examples/benchmark.rs` of 0.14) on a TAP device, for the figures of
//! `scripts/check-tap.sh --figures`: the same loop and the same buffers, and its two sockets as the
//! services that glassnet's example has, too: 9 takes what comes and says how much it was, 19
//! sends without end.
//!
//! `smoltcp_tap NAME ADDRESS` serves until it is killed.

use std::io::{Error, Result};
use std::os::fd::AsRawFd;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Medium, TunTapInterface, wait as phy_wait};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, Ipv4Address};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, address] = &arguments[..] else {
        return Err(Error::other("smoltcp_tap NAME ADDRESS"));
    };
    let address: Ipv4Address = address.parse().map_err(Error::other)?;
    let mut device = TunTapInterface::new(name, Medium::Ethernet)?;
    let fd = device.as_raw_fd();

    let ours = EthernetAddress([0x02, 0x00, 0x00, 0x00, 0x00, 0x01]);
    let mut iface = Interface::new(Config::new(ours.into()), &mut device, Instant::now());
    let mut is_full = false;
    iface.update_ip_addrs(|addresses| {
        is_full = addresses.push(IpCidr::new(IpAddress::Ipv4(address), 24)).is_err();
    });
    if is_full {
        return Err(Error::other("no room for an address"));
    }

    let mut sockets = SocketSet::new(vec![]);
    let discard = sockets.add(socket());
    let chargen = sockets.add(socket());
    let default_timeout = Some(Duration::from_millis(1000));
    let mut count = 0u64;
    eprintln!("listening");
    loop {
        let timestamp = Instant::now();
        iface.poll(timestamp, &mut device, &mut sockets);

        let socket = sockets.get_mut::<Socket>(chargen);
        if !socket.is_open() {
            socket.listen(19).map_err(Error::other)?;
        }
        while socket.can_send() {
            socket.send(|buffer| (buffer.len(), ())).map_err(Error::other)?;
        }

        let socket = sockets.get_mut::<Socket>(discard);
        if !socket.is_open() {
            socket.listen(9).map_err(Error::other)?;
            count = 0;
        }
        while socket.can_recv() {
            let len = socket.recv(|buffer| (buffer.len(), buffer.len())).map_err(Error::other)?;
            count += len as u64;
        }
        // Not in the example: its client does not ask how much has come.
        if socket.is_active() && socket.may_send() && !socket.may_recv() && count > 0 {
            socket.send_slice(format!("{count}\n").as_bytes()).map_err(Error::other)?;
            socket.close();
        }

        match iface.poll_at(timestamp, &sockets) {
            Some(poll_at) if timestamp < poll_at => phy_wait(fd, Some(poll_at - timestamp))?,
            Some(_) => (),
            None => phy_wait(fd, default_timeout)?,
        }
    }
}

fn socket() -> Socket<'static> {
    let buffer = || SocketBuffer::new(vec![0; 65535]);
    let mut socket = Socket::new(buffer(), buffer());
    // The example is built with smoltcp's default features, which have no congestion control.
    socket.set_congestion_control(CongestionControl::None);
    socket
}
