//! TCP (RFC 9293): sequence numbers, the ends of a connection, segments and their options.

mod bare;
mod edit;
mod options;
mod segment;
mod seq;
mod syn;
mod tuple;

pub(crate) use bare::{
    BareAck, Reset, ack_len, bare_ack_len, write_ack, write_bare_ack, write_bare_fin, write_reset,
};
pub(crate) use edit::{
    cut_payload, fill_tcp_checksums, rewrite_ack, rewrite_fin, rewrite_seq, set_ip_len,
};
pub(crate) use options::window_scale;
pub(crate) use segment::{
    ACK, CWR, ECE, FIN, PSH, RST, SYN, Segment, TCP_HEADER, flags, is_well_formed, seq, tcp_offset,
};
pub(crate) use seq::Seq;
pub(crate) use syn::{OptionOrder, Syn, SynOptions, Timestamps};
pub(crate) use tuple::{FourTuple, TupleKey};
