//! Whether a fault can be done to the hosts of a world.

use super::{Fault, Hosts, signal};
use crate::world::plan::Role;

/// Names that a message lists before it only counts.
const MAX_NAMES: usize = 12;

/// The hosts of a world, as far as a fault needs to know them.
pub(in crate::world) trait KnownHosts {
    /// What the host is that is called so.
    fn role_of(&self, name: &str) -> Option<Role>;
    /// What is said of a name that no host has.
    fn no_host_called(&self, name: &str) -> String;
}

impl Fault {
    /// What is wrong with it, if anything.
    pub(in crate::world) fn check(&self, known: &impl KnownHosts) -> Result<(), String> {
        match self {
            Fault::Crash { hosts } => check_hosts(hosts, known),
            Fault::Signal { hosts, signal } => {
                check_hosts(hosts, known)?;
                signal::check(*signal)
            }
            Fault::Bounce { hosts } => {
                check_hosts(hosts, known)?;
                let client = hosts.names().find(|name| known.role_of(name) == Some(Role::Client));
                client.map_or(Ok(()), |client| {
                    Err(format!(
                        "{client:?} is a client, which cannot be bounced: its future runs once"
                    ))
                })
            }
            fault => match fault.ends() {
                Some((a, b, _)) => {
                    check_ends(a, b, known)?;
                    match fault {
                        Fault::Link { change, .. } | Fault::LinkOneWay { change, .. } => {
                            change.check()
                        }
                        _ => Ok(()),
                    }
                }
                None => Ok(()),
            },
        }
    }
}

fn check_hosts(hosts: &Hosts, known: &impl KnownHosts) -> Result<(), String> {
    if hosts.names().next().is_none() {
        return Err("a fault for an empty list of hosts does nothing: name at least one".to_owned());
    }
    match hosts.names().find(|name| known.role_of(name).is_none()) {
        Some(unknown) => Err(known.no_host_called(unknown)),
        None => Ok(()),
    }
}

fn check_ends(a: &Hosts, b: &Hosts, known: &impl KnownHosts) -> Result<(), String> {
    check_hosts(a, known)?;
    check_hosts(b, known)?;
    match a.names().find(|name| b.names().any(|other| other == *name)) {
        Some(both) => {
            Err(format!("host {both:?} cannot be cut off from itself: loopback has no link"))
        }
        None => Ok(()),
    }
}

/// What is said of a name that none of `known` is.
pub(in crate::world) fn no_host_called<'n>(
    name: &str,
    known: impl ExactSizeIterator<Item = &'n str>,
) -> String {
    match known.len() {
        0 => format!("no host is called {name:?}: there are none yet"),
        _ => format!("no host is called {name:?}: there are {}", list_names(known)),
    }
}

/// Names, as a message has them.
pub(in crate::world) fn list_names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut listed = Vec::new();
    let mut rest = 0;
    for name in names {
        if listed.len() < MAX_NAMES {
            listed.push(format!("{name:?}"));
        } else {
            rest += 1;
        }
    }
    if rest > 0 {
        listed.push(format!("and {rest} more"));
    }
    listed.join(", ")
}
