//! Names of hosts and services, and their addresses and numbers.
//!
//! A name is looked up in the host's `/etc/hosts` first. It holds `localhost`, the host itself
//! and the lines added with [`Sim::hosts_entry`](crate::Sim::hosts_entry); and, as long as the
//! world has no DNS server, every other host of the world. With a server, added with
//! [`Sim::dns`](crate::Sim::dns), all other names are asked for over the network, and an answer
//! takes its time, can be lost, and is seen in captures.
//!
//! The resolver is resolv.conf(5)'s: it asks each server in turn, waits 5 seconds for an answer,
//! and tries all of them once more (`timeout:5 attempts:2`). Queries for the A and the AAAA record
//! leave together. There is no cache, and no search list.
//!
//! Which addresses a plain name stands for, those of IPv4, those of IPv6 or both, is a setting
//! of the world, [`Sim::ip_version`](crate::Sim::ip_version).

mod addrinfo;
mod error;
mod family;
#[cfg(feature = "tokio")]
mod files;
mod hostent;
mod hostname;
mod lookup;
mod nameinfo;
mod order;
mod service;
mod services;
mod table;

pub(super) use addrinfo::in_family;
pub use addrinfo::{AddrInfo, AddrInfoHints, getaddrinfo};
pub use error::{AddrInfoError, AddrInfoErrorKind};
pub(crate) use family::Family;
pub use family::IpVersion;
#[cfg(feature = "tokio")]
pub(crate) use files::file_of_names;
#[cfg(feature = "tokio")]
pub(crate) use hostent::host_by_name;
pub use hostent::{HostEntry, gethostbyaddr, gethostbyname};
pub use hostname::gethostname;
pub use nameinfo::{NameInfoFlags, getnameinfo};
pub(crate) use service::NameService;
pub use services::{getservbyname, getservbyport};
pub use table::DnsRecord;
pub(crate) use table::{Found, Names, is_name};
