//! Formats without state: how frames, packets and segments stand in bytes. Whoever reads or
//! writes one does it here.
//!
//! A format has its fields as a type of ours, with `parse` and `write`; what the hot path reads is
//! read out of the bytes where they are.

pub(crate) mod arp;
pub(crate) mod checksum;
pub(crate) mod ethernet;
pub(crate) mod fragment;
pub(crate) mod frame;
pub(crate) mod icmp;
pub(crate) mod ip;
pub(crate) mod ipv4;
pub(crate) mod ipv4_options;
pub(crate) mod ipv6;
pub(crate) mod ipv6_extensions;
pub(crate) mod membership;
pub(crate) mod ndp;
pub(crate) mod packet;
pub(crate) mod resolution;
pub(crate) mod tcp;
pub(crate) mod udp;
