//! Bare smoltcp 0.14: the ceiling. Two interfaces joined by a queue, one thread,
//! no link, no async, no wall clock; the application is written out by hand.
//!
//! Checksums are on, congestion control is Reno, and virtual time advances only
//! when neither side has anything left to do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant as WallInstant;

use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet,
};
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::application::{CLOCK_EVERY, WARM_UP};
use crate::job::{
    BUFFER, CHUNK, GREETING, Job, MESSAGE, Measured, Pings, Result, SEED, SMALL_BUFFER, bulk_chunk,
    check_bulk, check_total,
};

/// One SocketSet is walked from end to end for every packet.
const MOST_CONNECTIONS: usize = 1_000;
const SERVER_PORT: u16 = 12345;
const CLIENT_ADDRESS: IpAddress = IpAddress::v4(10, 0, 0, 1);
const SERVER_ADDRESS: IpAddress = IpAddress::v4(10, 0, 0, 2);
/// More timers than this with no news is a hang, not a wait.
const MOST_WAITS: u32 = 1_000;

pub fn run(job: &Job) -> Result<Option<Measured>> {
    match *job {
        Job::Greetings { count, buffer } => greetings(count, buffer).map(Some),
        Job::Bulk { bytes, mtu, each_frame } => bulk(bytes, mtu, each_frame).map(Some),
        Job::IdleConnections { idle, pings } if idle <= MOST_CONNECTIONS => {
            echo(idle, pings).map(Some)
        }
        // Two stacks and a queue: there are no idle hosts to put beside them.
        Job::IdleHosts { idle: 0, pings } => echo(0, pings).map(Some),
        _ => Ok(None),
    }
}

/// Frames whose bytes can be used again: the ceiling pays for no allocation.
type Spare = Rc<RefCell<Vec<Vec<u8>>>>;

/// One end of the queue.
struct End {
    mtu: usize,
    inbox: VecDeque<Vec<u8>>,
    outbox: VecDeque<Vec<u8>>,
    spare: Spare,
}

struct Received<'a> {
    frame: Vec<u8>,
    spare: &'a Spare,
}

struct Transmit<'a> {
    outbox: &'a mut VecDeque<Vec<u8>>,
    spare: &'a Spare,
}

impl Device for End {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        // The default checksums are "verify and fill in all".
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, Transmit<'_>)> {
        let frame = self.inbox.pop_front()?;
        let spare = &self.spare;
        let outbox = &mut self.outbox;
        Some((Received { frame, spare }, Transmit { outbox, spare }))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Transmit<'_>> {
        Some(Transmit { outbox: &mut self.outbox, spare: &self.spare })
    }
}

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        let result = read(&self.frame);
        self.spare.borrow_mut().push(self.frame);
        result
    }
}

impl phy::TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = self.spare.borrow_mut().pop().unwrap_or_default();
        frame.resize(length, 0);
        let result = fill(&mut frame);
        self.outbox.push_back(frame);
        result
    }
}

/// One stack with all of its sockets in one set, as smoltcp's examples do.
struct Stack {
    interface: Interface,
    end: End,
    sockets: SocketSet<'static>,
    polled_each_frame: bool,
}

impl Stack {
    fn new(address: IpAddress, mtu: usize, spare: Spare) -> Result<Self> {
        let mut end = End { mtu, inbox: VecDeque::new(), outbox: VecDeque::new(), spare };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = SEED;
        let mut interface = Interface::new(config, &mut end, Instant::ZERO);
        let mut added = Ok(());
        interface.update_ip_addrs(|addresses| added = addresses.push(IpCidr::new(address, 24)));
        added.map_err(|_| "no room for an address")?;
        let sockets = SocketSet::new(Vec::new());
        Ok(Self { interface, end, sockets, polled_each_frame: false })
    }

    /// Takes in what has arrived; true when that was anything.
    fn ingress(&mut self, now: Instant) -> bool {
        let any = !self.end.inbox.is_empty();
        while self.interface.poll_ingress_single(now, &mut self.end, &mut self.sockets)
            != PollIngressSingleResult::None
        {
            if self.polled_each_frame {
                self.egress(now);
            }
        }
        any
    }

    /// Sends what there is to send.
    fn egress(&mut self, now: Instant) {
        while self.interface.poll_egress(now, &mut self.end, &mut self.sockets) != PollResult::None
        {
        }
    }

    fn add(&mut self, buffer: usize) -> SocketHandle {
        let mut socket =
            Socket::new(SocketBuffer::new(vec![0; buffer]), SocketBuffer::new(vec![0; buffer]));
        socket.set_congestion_control(CongestionControl::Reno);
        self.sockets.add(socket)
    }

    fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(handle)
    }

    fn listen(&mut self, buffer: usize) -> Result<SocketHandle> {
        let handle = self.add(buffer);
        self.socket(handle).listen(SERVER_PORT)?;
        Ok(handle)
    }

    fn connect(&mut self, buffer: usize, local_port: u16) -> Result<SocketHandle> {
        let handle = self.add(buffer);
        self.sockets.get_mut::<Socket>(handle).connect(
            self.interface.context(),
            (SERVER_ADDRESS, SERVER_PORT),
            local_port,
        )?;
        Ok(handle)
    }
}

struct World {
    now: Instant,
    client: Stack,
    server: Stack,
    next_port: u16,
}

impl World {
    fn new(mtu: usize) -> Result<Self> {
        let spare = Spare::default();
        Ok(Self {
            now: Instant::ZERO,
            client: Stack::new(CLIENT_ADDRESS, mtu, spare.clone())?,
            server: Stack::new(SERVER_ADDRESS, mtu, spare)?,
            next_port: 49152,
        })
    }

    /// Starts one connection: its client's socket and its server's.
    fn connect(&mut self, buffer: usize) -> Result<(SocketHandle, SocketHandle)> {
        let server = self.server.listen(buffer)?;
        let client = self.client.connect(buffer, self.next_port)?;
        self.next_port = self.next_port.checked_add(1).unwrap_or(49152);
        Ok((client, server))
    }

    /// The client's turn, then the server's: take frames in, let the application
    /// act, send. That order needs the fewest walks through the sets. True when
    /// any frame moved.
    fn step(
        &mut self,
        client: impl FnOnce(&mut Stack) -> Result,
        server: impl FnOnce(&mut Stack) -> Result,
    ) -> Result<bool> {
        let mut moved = self.client.ingress(self.now);
        client(&mut self.client)?;
        self.client.egress(self.now);
        moved |= deliver(&mut self.client.end, &mut self.server.end);

        moved |= self.server.ingress(self.now);
        server(&mut self.server)?;
        self.server.egress(self.now);
        moved |= deliver(&mut self.server.end, &mut self.client.end);
        Ok(moved)
    }

    /// Steps until `done`. When no frame moved, the clock jumps to the next timer
    /// of either side.
    fn run(
        &mut self,
        mut client: impl FnMut(&mut Stack) -> Result,
        mut server: impl FnMut(&mut Stack) -> Result,
        mut done: impl FnMut(&mut World) -> bool,
    ) -> Result {
        let mut waits = 0;
        loop {
            let moved = self.step(&mut client, &mut server)?;
            if done(self) {
                return Ok(());
            }
            if moved {
                waits = 0;
                continue;
            }
            waits += 1;
            if waits > MOST_WAITS {
                return Err("too many timers without any news".into());
            }
            let deadline = [&mut self.client, &mut self.server]
                .into_iter()
                .filter_map(|stack| stack.interface.poll_at(self.now, &stack.sockets))
                .min()
                .ok_or("no timer is pending: the connection hangs")?;
            self.now = self.now.max(deadline);
        }
    }
}

fn deliver(from: &mut End, to: &mut End) -> bool {
    let any = !from.outbox.is_empty();
    if to.inbox.is_empty() {
        std::mem::swap(&mut from.outbox, &mut to.inbox);
    } else {
        to.inbox.append(&mut from.outbox);
    }
    any
}

fn greetings(count: u64, buffer: usize) -> Result<Measured> {
    let start = WallInstant::now();
    let mut world = World::new(1500)?;
    for _ in 0..count {
        greet(&mut world, buffer)?;
    }
    drop(world);
    Ok(Measured { work: count, elapsed: start.elapsed() })
}

/// One greeting, until both sockets are closed (TIME-WAIT included) and gone.
fn greet(world: &mut World, buffer: usize) -> Result {
    let (client, server) = world.connect(buffer)?;
    let mut greeting = [0; GREETING.len() + 1];
    let mut got = 0;
    let mut greeted = false;
    world.run(
        |stack| {
            let socket = stack.socket(client);
            if socket.can_recv() {
                got += socket.recv_slice(&mut greeting[got..])?;
            }
            if socket.state() == State::CloseWait {
                socket.close();
            }
            Ok(())
        },
        |stack| {
            let socket = stack.socket(server);
            if !greeted && socket.may_send() {
                check_total(GREETING.len() as u64, socket.send_slice(GREETING)? as u64)?;
                socket.close();
                greeted = true;
            }
            Ok(())
        },
        |world| {
            world.client.socket(client).state() == State::Closed
                && world.server.socket(server).state() == State::Closed
        },
    )?;
    world.client.sockets.remove(client);
    world.server.sockets.remove(server);
    if &greeting[..got] != GREETING {
        return Err(format!("not the greeting: {:?}", &greeting[..got]).into());
    }
    Ok(())
}

/// The server writes chunks of 64 KiB, the client reads into 64 KiB and counts.
fn bulk(bytes: u64, mtu: usize, each_frame: bool) -> Result<Measured> {
    let chunk = bulk_chunk();
    let mut buffer = vec![0; CHUNK];
    let start = WallInstant::now();
    let mut world = World::new(mtu)?;
    world.client.polled_each_frame = each_frame;
    world.server.polled_each_frame = each_frame;
    let (client, server) = world.connect(BUFFER)?;
    let mut sent = 0;
    let got = Cell::new(0);
    world.run(
        |stack| {
            let socket = stack.socket(client);
            while socket.can_recv() {
                let length = socket.recv_slice(&mut buffer)?;
                check_bulk(&chunk, got.get(), &buffer[..length])?;
                got.set(got.get() + length as u64);
            }
            Ok(())
        },
        |stack| {
            let socket = stack.socket(server);
            while sent < bytes && socket.can_send() {
                let from = (sent % CHUNK as u64) as usize;
                let length = ((CHUNK - from) as u64).min(bytes - sent) as usize;
                sent += socket.send_slice(&chunk[from..from + length])? as u64;
            }
            Ok(())
        },
        |_| got.get() >= bytes,
    )?;
    drop(world);
    check_total(bytes, got.get())?;
    Ok(Measured { work: bytes, elapsed: start.elapsed() })
}

fn echo(idle: usize, pings: Pings) -> Result<Measured> {
    let mut world = World::new(1500)?;
    for _ in 0..idle {
        establish(&mut world)?;
    }
    let (client, server) = establish(&mut world)?;

    for n in 0..WARM_UP {
        ping(&mut world, client, server, n)?;
    }
    let start = WallInstant::now();
    let mut work = 0;
    while work < pings.most {
        ping(&mut world, client, server, work)?;
        work += 1;
        if work % CLOCK_EVERY == 0 && start.elapsed() >= pings.budget {
            break;
        }
    }
    Ok(Measured { work, elapsed: start.elapsed() })
}

fn establish(world: &mut World) -> Result<(SocketHandle, SocketHandle)> {
    let (client, server) = world.connect(SMALL_BUFFER)?;
    world.run(
        |_| Ok(()),
        |_| Ok(()),
        |world| {
            world.client.socket(client).state() == State::Established
                && world.server.socket(server).state() == State::Established
        },
    )?;
    Ok((client, server))
}

/// One request and its response: the client's turn, the server's turn, and the
/// response taken in.
fn ping(world: &mut World, client: SocketHandle, server: SocketHandle, number: u64) -> Result {
    let request = [number as u8; MESSAGE];
    let mut response = [0; MESSAGE];

    world.step(
        |stack| {
            let written = stack.socket(client).send_slice(&request)?;
            check_total(MESSAGE as u64, written as u64)
        },
        |stack| {
            let mut heard = [0; MESSAGE];
            let socket = stack.socket(server);
            let read = socket.recv_slice(&mut heard)?;
            check_total(MESSAGE as u64, read as u64)?;
            let written = socket.send_slice(&heard)?;
            check_total(MESSAGE as u64, written as u64)
        },
    )?;
    world.client.ingress(world.now);
    let read = world.client.socket(client).recv_slice(&mut response)?;
    check_total(MESSAGE as u64, read as u64)?;
    if request == response {
        Ok(())
    } else {
        Err(format!("response {number} is not its request").into())
    }
}
