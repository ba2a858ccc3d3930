//! The options of a TCP segment.

/// An option of a TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcpOption {
    /// Kind 0: the end of the options.
    End,
    /// Kind 1: nothing, so that what follows begins where it should.
    Nop,
    /// Kind 2: the largest segment that its sender takes, in bytes without headers (RFC 9293 3.7.1).
    MaxSegmentSize(u16),
    /// Kind 3: the shift of the windows that its sender will advertise (RFC 7323 2).
    WindowScale(u8),
    /// Kind 4: its sender understands selective acknowledgments (RFC 2018).
    SackPermitted,
    /// Kind 5: blocks that have arrived, each from its first byte to that after its last.
    Sack(Vec<(u32, u32)>),
    /// Kind 8: a time of its sender's, and the one that it echoes (RFC 7323 3).
    Timestamps {
        /// TSval.
        value: u32,
        /// TSecr.
        echo: u32,
    },
    /// Any other, or one of those above with a length that it does not have.
    Other {
        /// Its kind.
        kind: u8,
        /// What follows the kind and the length: at most 253 bytes, of which 38 fit.
        data: Vec<u8>,
    },
}

impl TcpOption {
    /// Appends it as it stands on the wire.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let option = |bytes: &mut Vec<u8>, kind: u8, data: &[u8]| {
            bytes.extend([kind, (data.len() + 2) as u8]);
            bytes.extend_from_slice(data);
        };
        match self {
            TcpOption::End => bytes.push(0),
            TcpOption::Nop => bytes.push(1),
            TcpOption::MaxSegmentSize(size) => option(bytes, 2, &size.to_be_bytes()),
            TcpOption::WindowScale(shift) => option(bytes, 3, &[*shift]),
            TcpOption::SackPermitted => option(bytes, 4, &[]),
            TcpOption::Sack(blocks) => {
                let edges = blocks.iter().flat_map(|(start, end)| [start, end]);
                let edges: Vec<u8> = edges.flat_map(|edge| edge.to_be_bytes()).collect();
                option(bytes, 5, &edges);
            }
            TcpOption::Timestamps { value, echo } => {
                option(bytes, 8, [value.to_be_bytes(), echo.to_be_bytes()].as_flattened());
            }
            TcpOption::Other { kind, data } => option(bytes, *kind, data),
        }
    }

    /// Bytes on the wire.
    pub(crate) fn len(&self) -> usize {
        match self {
            TcpOption::End | TcpOption::Nop => 1,
            TcpOption::SackPermitted => 2,
            TcpOption::WindowScale(_) => 3,
            TcpOption::MaxSegmentSize(_) => 4,
            TcpOption::Timestamps { .. } => 10,
            TcpOption::Sack(blocks) => 2 + 8 * blocks.len(),
            TcpOption::Other { data, .. } => 2 + data.len(),
        }
    }

    /// Reads options until their end, or until one that is cut.
    pub(super) fn parse_all(mut bytes: &[u8]) -> Vec<TcpOption> {
        let mut options = Vec::new();
        while let [kind, rest @ ..] = bytes {
            match kind {
                0 => {
                    options.push(TcpOption::End);
                    break;
                }
                1 => {
                    options.push(TcpOption::Nop);
                    bytes = rest;
                    continue;
                }
                _ => {}
            }
            let Some(len) = rest.first().map(|len| usize::from(*len)).filter(|len| *len >= 2)
            else {
                break;
            };
            let Some(data) = bytes.get(2..len) else { break };
            options.push(TcpOption::parse(*kind, data));
            bytes = &bytes[len..];
        }
        options
    }

    fn parse(kind: u8, data: &[u8]) -> TcpOption {
        let word = |bytes: [u8; 4]| u32::from_be_bytes(bytes);
        match (kind, data) {
            (2, &[high, low]) => TcpOption::MaxSegmentSize(u16::from_be_bytes([high, low])),
            (3, &[shift]) => TcpOption::WindowScale(shift),
            (4, []) => TcpOption::SackPermitted,
            (5, _) if !data.is_empty() && data.len().is_multiple_of(8) => {
                let (blocks, _) = data.as_chunks::<8>();
                let block =
                    |&[a, b, c, d, e, f, g, h]: &[u8; 8]| (word([a, b, c, d]), word([e, f, g, h]));
                TcpOption::Sack(blocks.iter().map(block).collect())
            }
            (8, &[a, b, c, d, e, f, g, h]) => {
                TcpOption::Timestamps { value: word([a, b, c, d]), echo: word([e, f, g, h]) }
            }
            _ => TcpOption::Other { kind, data: data.to_vec() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let options = [
            TcpOption::MaxSegmentSize(1460),
            TcpOption::SackPermitted,
            TcpOption::Timestamps { value: 7, echo: u32::MAX },
            TcpOption::Nop,
            TcpOption::WindowScale(7),
            TcpOption::Sack(vec![(1, 2), (u32::MAX, 0)]),
            TcpOption::Other { kind: 34, data: vec![1, 2] },
            TcpOption::End,
        ];
        let mut bytes = Vec::new();
        options.iter().for_each(|option| option.write(&mut bytes));
        assert_eq!(TcpOption::parse_all(&bytes), options);
    }

    #[test]
    fn what_is_cut_or_has_no_length_ends_the_options() {
        let mss = [TcpOption::MaxSegmentSize(1460)];
        for end in [&[8, 10, 0][..], &[3, 0, 3, 0], &[3, 1, 3, 0], &[3]] {
            assert_eq!(TcpOption::parse_all(&[&[2, 4, 5, 180], end].concat()), mss);
        }
        let other = TcpOption::Other { kind: 2, data: vec![5] };
        assert_eq!(TcpOption::parse_all(&[2, 3, 5]), [other]);
    }
}
