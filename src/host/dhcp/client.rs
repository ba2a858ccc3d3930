//! The states of a DHCP client: RFC 2131 figure 5, with shorter timeouts, as the application waits.

use std::net::Ipv4Addr;

use super::event::{DhcpEvent, DhcpFailure, DhcpLoss};
use super::lease::{Lease, Terms, Times};
use super::message::{Client, ClientMessage, Reply, ReplyKind};
use super::packet::DhcpSend;
use crate::rng::Stream;
use crate::wire::arp::{arp_sender, arp_target};
use crate::wire::ethernet::{BROADCAST, Mac};

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
/// How long an answer is waited for, time after time; RFC 2131 4.1 begins with 4 s.
const RETRIES: [u64; 4] = [500 * MILLISECOND, SECOND, 2 * SECOND, 4 * SECOND];
/// When it gives up.
const TIMEOUT: u64 = 10 * SECOND;
/// Before it begins again: after a refusal, and after an address that somebody has.
const AFTER_NAK: u64 = 500 * MILLISECOND;
const AFTER_DECLINE: u64 = SECOND;
/// When it asks whether the address is free, and when it is, since the server's ACK. Shorter than
/// RFC 5227's, as for an address that is given: see the world's presence.
const PROBES: [u64; 3] = [0, 50 * MILLISECOND, 250 * MILLISECOND];
const IS_FREE: u64 = 300 * MILLISECOND;
/// The shortest wait for more time: RFC 2131 4.4.5, and less where the lease is short.
const MIN_RENEWAL: u64 = 60 * SECOND;

/// Asks for an address, and for more time with it.
pub(crate) struct DhcpClient {
    mac: Mac,
    hostname: String,
    /// The largest message that reaches it.
    max_size: u16,
    stream: Stream,
    state: State,
    xid: u32,
    began: u64,
    trouble: DhcpFailure,
}

enum State {
    /// Begins, or begins again, at a time.
    Init(u64),
    Selecting(Retry),
    Requesting {
        offer: Lease,
        requested_at: u64,
        retry: Retry,
    },
    /// Looks whether the address is free.
    Checking {
        held: Held,
        sent: usize,
        since: u64,
    },
    Bound(Held),
    Renewing {
        held: Held,
        requested_at: u64,
        next: u64,
    },
    Rebinding {
        held: Held,
        requested_at: u64,
        next: u64,
    },
    Over,
}

/// When to ask again.
#[derive(Clone, Copy)]
struct Retry {
    count: usize,
    at: u64,
}

/// A lease, in the world's time.
#[derive(Clone)]
struct Held {
    lease: Lease,
    /// The Ethernet address that the server, or the router before it, answers from.
    server: Mac,
    /// T1, T2 and the end, in the world's time.
    times: Option<Times>,
}

impl Held {
    fn new(terms: Terms, server: Mac, requested_at: u64) -> Held {
        let times = terms.times.map(|times| Times {
            renew: requested_at.saturating_add(times.renew),
            rebind: requested_at.saturating_add(times.rebind),
            expire: requested_at.saturating_add(times.expire),
        });
        Held { lease: terms.lease, server, times }
    }
}

/// Something that arrived, for [`DhcpClient::turn`].
pub(crate) enum DhcpInput<'f> {
    /// A message, and the Ethernet address that it came from.
    Message(&'f [u8], Mac),
    /// An ARP packet.
    Arp(&'f [u8]),
}

/// What came of a turn.
#[derive(Debug, Default)]
pub(crate) struct DhcpOutput {
    pub(crate) sent: Vec<DhcpSend>,
    pub(crate) event: Option<DhcpEvent>,
}

impl DhcpClient {
    /// One that begins at once. `mtu` is that of the interface; `stream` feeds the numbers of its
    /// transactions and the variation of its waits.
    pub(crate) fn new(
        now: u64,
        mac: Mac,
        hostname: &str,
        mtu: usize,
        stream: Stream,
    ) -> DhcpClient {
        DhcpClient {
            mac,
            hostname: hostname.to_owned(),
            // RFC 2132 9.10: 576 at least.
            max_size: u16::try_from(mtu).unwrap_or(u16::MAX).max(576),
            stream,
            state: State::Init(now),
            xid: 0,
            began: now,
            trouble: DhcpFailure::NobodyAnswers,
        }
    }

    /// The lease, once the host may use it.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Bound(held) | State::Renewing { held, .. } | State::Rebinding { held, .. } => {
                Some(&held.lease)
            }
            _ => None,
        }
    }

    /// Whether the host has no address, and will have none.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// When it wants its turn.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let gives_up = self.began.saturating_add(TIMEOUT);
        match &self.state {
            State::Init(at) => Some(*at),
            State::Selecting(retry) | State::Requesting { retry, .. } => {
                Some(retry.at.min(gives_up))
            }
            State::Checking { sent, since, .. } => {
                Some(since + PROBES.get(*sent).copied().unwrap_or(IS_FREE))
            }
            State::Bound(held) => held.times.map(|times| times.renew),
            State::Renewing { held, next, .. } => held.times.map(|times| times.rebind.min(*next)),
            State::Rebinding { held, next, .. } => held.times.map(|times| times.expire.min(*next)),
            State::Over => None,
        }
    }

    /// Takes in what arrived, if anything did, and does what is due. What is due afterwards, or at
    /// once again, is for the next turn: see [`DhcpClient::deadline`].
    pub(crate) fn turn(&mut self, now: u64, input: Option<DhcpInput<'_>>) -> DhcpOutput {
        let mut output = DhcpOutput::default();
        match input {
            Some(DhcpInput::Message(bytes, from)) => self.receive(now, bytes, from, &mut output),
            Some(DhcpInput::Arp(packet)) => self.receive_arp(now, packet, &mut output),
            None => {}
        }
        if output.event.is_none() {
            self.do_due(now, &mut output);
        }
        output
    }

    /// Gives the address back. The message is the last.
    pub(crate) fn release(&mut self) -> Option<DhcpSend> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Checking { held, .. }
            | State::Bound(held)
            | State::Renewing { held, .. }
            | State::Rebinding { held, .. } => {
                let Lease { address, server, .. } = held.lease;
                self.xid = self.stream.next_u64() as u32;
                let bytes = self.write(ClientMessage::Release { address, server }, 0);
                let (source, destination) = (address, server);
                Some(DhcpSend::Message { bytes, source, destination, to: held.server })
            }
            _ => None,
        }
    }

    fn do_due(&mut self, now: u64, output: &mut DhcpOutput) {
        if self.deadline().is_none_or(|at| now < at) {
            return;
        }
        let is_in_time = now < self.began.saturating_add(TIMEOUT);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Init(_) | State::Selecting(_) | State::Requesting { .. } if !is_in_time => {
                output.event = Some(DhcpEvent::Failed(self.trouble.clone()));
            }
            State::Init(_) => {
                self.xid = self.stream.next_u64() as u32;
                output.sent.push(self.broadcast(now, ClientMessage::Discover));
                self.state = State::Selecting(self.retry(now, 0));
            }
            State::Selecting(retry) => {
                output.sent.push(self.broadcast(now, ClientMessage::Discover));
                self.state = State::Selecting(self.retry(now, retry.count));
            }
            State::Requesting { offer, requested_at, retry } => {
                let Lease { address, server, .. } = offer;
                output.sent.push(self.broadcast(now, ClientMessage::Request { address, server }));
                let retry = self.retry(now, retry.count);
                self.state = State::Requesting { offer, requested_at, retry };
            }
            State::Checking { held, sent, since } => {
                let address = held.lease.address;
                if sent < PROBES.len() {
                    output.sent.push(DhcpSend::Probe(address));
                    self.state = State::Checking { held, sent: sent + 1, since };
                } else {
                    output.sent.push(DhcpSend::Announcement(address));
                    output.event = Some(DhcpEvent::Bound(held.lease.clone()));
                    self.state = State::Bound(held);
                }
            }
            State::Bound(held) => {
                self.xid = self.stream.next_u64() as u32;
                self.renew(now, now, held, output);
            }
            State::Renewing { held, requested_at, .. } => {
                if held.times.is_some_and(|times| now < times.rebind) {
                    self.renew(now, requested_at, held, output);
                } else {
                    self.xid = self.stream.next_u64() as u32;
                    self.rebind(now, now, held, output);
                }
            }
            State::Rebinding { held, requested_at, .. } => {
                if held.times.is_some_and(|times| now < times.expire) {
                    self.rebind(now, requested_at, held, output);
                } else {
                    let Lease { address, server, .. } = held.lease;
                    output.event = Some(DhcpEvent::Lost(DhcpLoss::Expired { server, address }));
                }
            }
            State::Over => {}
        }
    }

    /// Asks the server itself for more time.
    fn renew(&mut self, now: u64, requested_at: u64, held: Held, output: &mut DhcpOutput) {
        let Lease { address, server, .. } = held.lease;
        let bytes = self.write(ClientMessage::Renew { address }, seconds(requested_at, now));
        let (source, destination) = (address, server);
        output.sent.push(DhcpSend::Message { bytes, source, destination, to: held.server });
        let next = held.times.map_or(u64::MAX, |times| halfway(now, times.rebind, &times));
        self.state = State::Renewing { held, requested_at, next };
    }

    /// Asks any server for more time.
    fn rebind(&mut self, now: u64, requested_at: u64, held: Held, output: &mut DhcpOutput) {
        let source = held.lease.address;
        let bytes =
            self.write(ClientMessage::Renew { address: source }, seconds(requested_at, now));
        let destination = Ipv4Addr::BROADCAST;
        output.sent.push(DhcpSend::Message { bytes, source, destination, to: BROADCAST });
        let next = held.times.map_or(u64::MAX, |times| halfway(now, times.expire, &times));
        self.state = State::Rebinding { held, requested_at, next };
    }

    fn receive(&mut self, now: u64, bytes: &[u8], from: Mac, output: &mut DhcpOutput) {
        let reply = match Reply::parse(bytes) {
            Ok(reply) => reply,
            Err(why) => return ignore(why),
        };
        if reply.client != self.mac {
            return ignore("it is for another host");
        }
        if reply.xid != self.xid {
            return ignore("it answers no question of ours");
        }
        let is_from = |server| reply.server == Some(server);
        match (&self.state, reply.kind) {
            (State::Selecting(_), ReplyKind::Offer) => self.take_offer(now, &reply, output),
            (State::Requesting { offer, requested_at, .. }, ReplyKind::Ack)
                if is_from(offer.server) =>
            {
                let requested_at = *requested_at;
                match Terms::of(&reply) {
                    Err(why) => ignore(&why),
                    Ok(terms) => {
                        let held = Held::new(terms, from, requested_at);
                        self.state = State::Checking { held, sent: 0, since: now };
                    }
                }
            }
            (State::Requesting { offer, .. }, ReplyKind::Nak) if is_from(offer.server) => {
                self.trouble = DhcpFailure::Refused { server: offer.server, why: reply.text };
                tracing::info!(target: "glassnet::dhcp", "{}: asks again", self.trouble);
                self.state = State::Init(now.saturating_add(AFTER_NAK));
            }
            (
                State::Renewing { held, requested_at, .. }
                | State::Rebinding { held, requested_at, .. },
                ReplyKind::Ack | ReplyKind::Nak,
            ) => {
                let (address, requested_at) = (held.lease.address, *requested_at);
                self.answer_to_renewal(address, requested_at, reply, from, output);
            }
            _ => ignore("it is not what is waited for"),
        }
    }

    fn take_offer(&mut self, now: u64, reply: &Reply, output: &mut DhcpOutput) {
        let offer = match Terms::of(reply) {
            Ok(terms) => terms.lease,
            Err(why) => return ignore(&why),
        };
        let Lease { address, server, .. } = offer;
        tracing::debug!(target: "glassnet::dhcp", %address, %server, "is offered");
        self.trouble = DhcpFailure::Unconfirmed { server, address };
        output.sent.push(self.broadcast(now, ClientMessage::Request { address, server }));
        self.state = State::Requesting { offer, requested_at: now, retry: self.retry(now, 0) };
    }

    fn answer_to_renewal(
        &mut self,
        address: Ipv4Addr,
        requested_at: u64,
        reply: Reply,
        from: Mac,
        output: &mut DhcpOutput,
    ) {
        if reply.kind == ReplyKind::Nak {
            let loss = DhcpLoss::Refused { server: reply.server, address, why: reply.text };
            self.state = State::Over;
            output.event = Some(DhcpEvent::Lost(loss));
            return;
        }
        let terms = match Terms::of(&reply) {
            Ok(terms) => terms,
            Err(why) => return ignore(&why),
        };
        let to = terms.lease.address;
        if to != address {
            self.state = State::Over;
            output.event = Some(DhcpEvent::Lost(DhcpLoss::Changed { address, to }));
            return;
        }
        output.event = Some(DhcpEvent::Renewed(terms.lease.clone()));
        self.state = State::Bound(Held::new(terms, from, requested_at));
    }

    /// Somebody may have the address that is looked for: RFC 5227 2.1.1.
    fn receive_arp(&mut self, now: u64, packet: &[u8], output: &mut DhcpOutput) {
        let State::Checking { held, .. } = &self.state else { return };
        let Lease { address, server, .. } = held.lease;
        let Some((by, sender)) = arp_sender(packet) else { return };
        let probes_it_too = sender.is_unspecified() && arp_target(packet) == Some(address);
        if by == self.mac || (sender != address && !probes_it_too) {
            return;
        }
        self.trouble = DhcpFailure::InUse { server, address, by };
        tracing::warn!(target: "glassnet::dhcp", "{}: asks for another", self.trouble);
        output.sent.push(self.broadcast(now, ClientMessage::Decline { address, server }));
        self.state = State::Init(now.saturating_add(AFTER_DECLINE));
    }

    fn broadcast(&self, now: u64, message: ClientMessage) -> DhcpSend {
        DhcpSend::Message {
            bytes: self.write(message, seconds(self.began, now)),
            source: Ipv4Addr::UNSPECIFIED,
            destination: Ipv4Addr::BROADCAST,
            to: BROADCAST,
        }
    }

    fn write(&self, message: ClientMessage, secs: u16) -> Vec<u8> {
        let client = Client { mac: self.mac, hostname: &self.hostname, max_size: self.max_size };
        message.write(&client, self.xid, secs)
    }

    /// When to ask again, after having asked `count` times before; an eighth more or less, so that
    /// hosts that begin together do not ask together.
    fn retry(&mut self, now: u64, count: usize) -> Retry {
        let wait = RETRIES[count.min(RETRIES.len() - 1)];
        let varied = wait - wait / 8 + self.stream.up_to(wait / 4);
        Retry { count: count + 1, at: now.saturating_add(varied) }
    }
}

/// Half of what is left, but no less than a minute; or, of a short lease, than an eighth of what
/// was left when it was first asked for more.
fn halfway(now: u64, end: u64, times: &Times) -> u64 {
    let least = MIN_RENEWAL.min(times.expire.saturating_sub(times.renew) / 8);
    now.saturating_add((end.saturating_sub(now) / 2).max(least).max(MILLISECOND))
}

fn seconds(since: u64, now: u64) -> u16 {
    u16::try_from(now.saturating_sub(since) / SECOND).unwrap_or(u16::MAX)
}

fn ignore(why: &str) {
    tracing::debug!(target: "glassnet::dhcp", why, "a message is ignored");
}
