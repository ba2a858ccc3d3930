//! The run of a script: event by event.

use std::net::SocketAddr;

use super::clock::Due;
use super::code::Code;
use super::commands::System;
use super::config::Settings;
use super::error::{Ended, Step, Stop};
use super::files::Files;
use super::flow::{Flow, Phase};
use super::pending::Pending;
use super::script::{Action, Body, Event, Packet, Script, Way};
use crate::clock::Instant;
use crate::peer::Wire;

/// A script that runs.
pub(super) struct Run<'s> {
    pub(super) settings: &'s Settings,
    system: System,
    pub(super) wire: Wire,
    pub(super) files: Files,
    flows: Vec<Flow>,
    /// The socket under test: the one that packets are about.
    current: Option<usize>,
    pub(super) code: Code,
    /// A call that blocks, and the line of it.
    pub(super) pending: Option<Pending>,
    last: Option<Last>,
    /// Remote ports that were given to connections for listeners.
    next_port: u16,
    /// What `print` has printed.
    pub(super) printed: String,
    /// Whether the script writes other bytes than zeros.
    pub(super) writes_text: bool,
}

/// The event before.
#[derive(Clone, Copy)]
struct Last {
    at: u64,
    is_inbound: bool,
}

impl<'s> Run<'s> {
    pub(super) fn new(settings: &'s Settings, system: System, wire: Wire) -> Run<'s> {
        Run {
            settings,
            system,
            wire,
            files: Files::default(),
            flows: Vec::new(),
            current: None,
            code: Code::default(),
            pending: None,
            last: None,
            next_port: 40_000,
            printed: String::new(),
            writes_text: false,
        }
    }

    /// Runs the events of a script.
    pub(super) fn run(&mut self, script: &Script) -> Result<(), Ended> {
        for event in &script.events {
            self.event(event)?;
        }
        self.finish_pending()?;
        match &script.cleanup {
            Some(command) => {
                self.command(&command.text).map_err(|stop| (command.line, stop))?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn event(&mut self, event: &Event) -> Result<(), Ended> {
        let is_inbound = matches!(&event.action, Action::Packet(packet) if packet.way == Way::In);
        let offset = match self.last {
            Some(last) if last.is_inbound && is_inbound => last.at,
            _ => self.now(),
        };
        let due = Due::of(event, offset);
        let here = |stop| (event.line, stop);
        match &event.action {
            Action::Packet(packet) => {
                let done = self.packet(packet, &due);
                done.map_err(|stop| match stop {
                    Stop::Failed(why) => {
                        here(Stop::Failed(format!("error handling packet: {why}")))
                    }
                    other => here(other),
                })?;
            }
            Action::Call(call) => {
                // Two calls that block do so one after the other.
                self.finish_pending()?;
                self.wait(&due, "system call start").map_err(here)?;
                let done = self.call(call, &due, event.line);
                done.map_err(|stop| match stop {
                    Stop::Failed(why) => {
                        let name = &call.name;
                        here(Stop::Failed(format!("runtime error in {name} call: {why}")))
                    }
                    other => here(other),
                })?;
            }
            Action::Command(text) => {
                self.wait(&due, "command").map_err(here)?;
                self.command(text).map_err(here)?;
            }
            Action::Code(text) => {
                self.wait(&due, "data collection for code").map_err(here)?;
                self.run_code(text).map_err(here)?;
            }
        }
        self.check_pending()?;
        self.last = Some(Last { at: due.from, is_inbound });
        Ok(())
    }

    // ---- Time -------------------------------------------------------------------------------

    /// Nanoseconds since the start.
    pub(super) fn now(&self) -> u64 {
        self.wire.now().as_nanos()
    }

    pub(super) fn last_due(&self) -> Option<u64> {
        self.last.map(|last| last.at)
    }

    /// Lets time pass until `at`.
    pub(super) fn advance_to(&mut self, at: u64) -> Step {
        let moved = self.wire.advance_to(Instant::from_nanos(at));
        moved.map_err(|error| Stop::Failed(error.to_string()))
    }

    /// Lets time pass until an event is due.
    pub(super) fn wait(&mut self, due: &Due, what: &str) -> Step {
        self.advance_to(due.from)?;
        match self.last {
            None => Ok(()),
            Some(last) => {
                due.check(what, self.now(), Some(last.at), self.settings).map_err(Stop::Failed)
            }
        }
    }

    // ---- Sockets under test -------------------------------------------------------------------

    pub(super) fn current(&mut self) -> Option<&mut Flow> {
        self.current.and_then(|current| self.flows.get_mut(current))
    }

    /// Packets are about this flow from now on.
    pub(super) fn add_flow(&mut self, flow: Flow) {
        self.current = Some(self.flows.len());
        self.flows.push(flow);
    }

    /// The flow whose socket has the script's descriptor.
    pub(super) fn flow_of(&mut self, fd: i64) -> Option<&mut Flow> {
        self.flows.iter_mut().rev().find(|flow| flow.fd == Some(fd))
    }

    /// The flow whose connection was accepted just now, as `fd`.
    pub(super) fn accepted(&mut self, fd: i64, peer: SocketAddr) {
        let is_peer = |flow: &&mut Flow| {
            let is_open = matches!(flow.phase, Phase::SynAckSent | Phase::Accepted);
            is_open && flow.fd.is_none() && flow.remote == peer
        };
        if let Some(flow) = self.flows.iter_mut().rev().find(is_peer) {
            flow.fd = Some(fd);
        }
    }

    fn packet(&mut self, packet: &Packet, due: &Due) -> Step {
        self.find_flow(packet)?;
        match packet.way {
            Way::Out => self.expect(packet, due),
            Way::In => {
                self.wait(due, "inbound packet")?;
                self.inject(packet)
            }
        }
    }

    /// Makes sure that there is a socket under test which the packet can be about.
    fn find_flow(&mut self, packet: &Packet) -> Step {
        if let (Body::Tcp(tcp), Way::In) = (&packet.body, packet.way)
            && self.current().is_none_or(|flow| flow.phase == Phase::Listening)
        {
            let remote = SocketAddr::new(self.settings.remote(), self.next_port);
            self.next_port = self.next_port.checked_add(1).unwrap_or(40_000);
            let local = SocketAddr::new(self.settings.local(), self.settings.bind_port);
            self.add_flow(Flow::of_syn(tcp, local, remote));
        }
        match self.current() {
            Some(flow) if flow.can_carry(packet) => {
                flow.note_script(packet);
                Ok(())
            }
            _ => Stop::failed("no matching socket for script packet"),
        }
    }

    // ---- Commands and code ----------------------------------------------------------------------

    fn command(&mut self, text: &str) -> Step {
        let mut changed = self.system.clone();
        changed.run(text)?;
        match changed == self.system {
            true => Ok(()),
            false => Stop::skipped("settings of a host cannot be changed while it runs"),
        }
    }

    fn run_code(&mut self, text: &str) -> Step {
        let info = match self.current().map(|flow| flow.fd) {
            Some(Some(fd)) => self.files.socket(fd).ok(),
            _ => None,
        };
        let printed = self.code.run(text, info.as_deref())?;
        self.printed.push_str(&printed);
        Ok(())
    }
}
