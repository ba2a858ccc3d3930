//! What a host knows and nobody else: a key, with which the ends of a connection give a number that
//! cannot be guessed (RFC 6528 section 3), and the cookies made of such numbers.

use crate::rng::{Seed, Stream};
use crate::wire::tcp::{FourTuple, Seq};

/// The low bits of a cookie, which hold its data; above them is the minute (Linux's `COOKIEBITS`).
const DATA_BITS: u32 = 24;
const DATA: u32 = (1 << DATA_BITS) - 1;
/// How many minutes old a cookie may be (Linux's `MAX_SYNCOOKIE_AGE`).
const MAX_AGE: u32 = 2;
const MINUTE: u64 = 60_000_000_000;

/// The maximum segment sizes that fit into a cookie: Linux's `msstab` of IPv4 and of IPv6.
const MSS_V4: [u16; 4] = [536, 1_300, 1_440, 1_460];
const MSS_V6: [u16; 4] = [1_220, 1_420, 1_440, 8_940];

/// What a number is for: no two purposes give the same.
#[derive(Clone, Copy)]
enum Purpose {
    SequenceNumber,
    CookieOfTuple,
    CookieOfMinute,
}

/// The key.
pub(super) struct Secret([u64; 2]);

impl Secret {
    /// It follows from what `stream` gives next, which is not drawn.
    pub(super) fn beside(stream: &Stream) -> Secret {
        let mut secrets = Seed(stream.clone().next_u64()).stream("secret of TCP");
        Secret([secrets.next_u64(), secrets.next_u64()])
    }

    /// An initial sequence number: a clock of 64 ns, as Linux's `secure_tcp_seq`, and what only this
    /// host knows of the two ends (RFC 6528).
    pub(super) fn sequence_number(&self, now: u64, tuple: &FourTuple) -> Seq {
        let clock = (now >> 6) as u32;
        Seq(clock.wrapping_add(self.number(tuple, 0, Purpose::SequenceNumber)))
    }

    /// The initial sequence number that stands for a SYN with sequence number `irs` and this maximum
    /// segment size, and from which both can be told: Linux's `secure_tcp_syn_cookie`.
    pub(super) fn cookie(&self, now: u64, tuple: &FourTuple, irs: Seq, mss: Option<u16>) -> Seq {
        let table = mss_table(tuple);
        let mss = mss.filter(|mss| *mss > 0).unwrap_or(table[0]);
        let data = table.iter().rposition(|known| *known <= mss).unwrap_or(0) as u32;
        let minute = (now / MINUTE) as u32;
        let data = self.number(tuple, minute, Purpose::CookieOfMinute).wrapping_add(data) & DATA;
        Seq(self.number_of_syn(tuple, irs).wrapping_add(minute << DATA_BITS).wrapping_add(data))
    }

    /// The maximum segment size of the SYN for which `cookie` stands, unless it is no cookie, or too
    /// old: Linux's `check_tcp_syn_cookie`.
    pub(super) fn open(&self, now: u64, tuple: &FourTuple, irs: Seq, cookie: Seq) -> Option<u16> {
        let cookie = cookie.0.wrapping_sub(self.number_of_syn(tuple, irs));
        let minute = (now / MINUTE) as u32;
        let age = minute.wrapping_sub(cookie >> DATA_BITS) & (u32::MAX >> DATA_BITS);
        if age >= MAX_AGE || age > minute {
            return None;
        }
        let number = self.number(tuple, minute - age, Purpose::CookieOfMinute);
        mss_table(tuple).get((cookie.wrapping_sub(number) & DATA) as usize).copied()
    }

    fn number_of_syn(&self, tuple: &FourTuple, irs: Seq) -> u32 {
        self.number(tuple, 0, Purpose::CookieOfTuple).wrapping_add(irs.0)
    }

    fn number(&self, tuple: &FourTuple, minute: u32, purpose: Purpose) -> u32 {
        let bits = |address: std::net::IpAddr| match address {
            std::net::IpAddr::V4(address) => u128::from(address.to_bits()),
            std::net::IpAddr::V6(address) => address.to_bits(),
        };
        let (local, remote) = (bits(tuple.local_addr), bits(tuple.remote_addr));
        let ports = u64::from(tuple.local_port) << 16 | u64::from(tuple.remote_port);
        let last = [ports << 32 | u64::from(minute), purpose as u64];
        let number = if tuple.local_addr.is_ipv4() {
            sip_hash(self.0, &[(remote << 32 | local) as u64, last[0], last[1]])
        } else {
            let halves = |bits: u128| [(bits >> 64) as u64, bits as u64];
            let ([a, b], [c, d]) = (halves(remote), halves(local));
            sip_hash(self.0, &[a, b, c, d, last[0], last[1]])
        };
        number as u32
    }
}

fn mss_table(tuple: &FourTuple) -> &'static [u16; 4] {
    if tuple.local_addr.is_ipv4() { &MSS_V4 } else { &MSS_V6 }
}

/// SipHash-2-4 (Aumasson and Bernstein, 2012) of whole words in the order of their bytes.
fn sip_hash(key: [u64; 2], words: &[u64]) -> u64 {
    let mut state = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let len = (words.len() as u64 * 8) << 56;
    for word in words.iter().chain([&len]) {
        state[3] ^= word;
        (0..2).for_each(|_| sip_round(&mut state));
        state[0] ^= word;
    }
    state[2] ^= 0xff;
    (0..4).for_each(|_| sip_round(&mut state));
    state.into_iter().fold(0, |all, word| all ^ word)
}

fn sip_round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::beside(&Seed(7).stream("secret test"))
    }

    fn tuple(ends: [&str; 2]) -> FourTuple {
        let [local, remote] = ends.map(|end| end.parse().unwrap());
        FourTuple::new(local, remote)
    }

    const ENDS: [[&str; 2]; 2] =
        [["10.0.0.1:80", "10.0.0.2:49152"], ["[fd00::1]:80", "[fd00::2]:49152"]];

    // The vectors of the reference implementation, for the key 00 01 .. 0f and 00 01 .. of 8 bytes
    // and of none.
    #[test]
    fn the_hash_is_sip_hash_2_4() {
        let word = |first: u8| u64::from_le_bytes(std::array::from_fn(|at| first + at as u8));
        let key = [word(0), word(8)];
        assert_eq!(sip_hash(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(sip_hash(key, &[word(0)]), 0x93f5_f579_9a93_2462);
    }

    #[test]
    fn a_cookie_tells_the_maximum_segment_size_for_one_to_two_minutes() {
        for (ends, sizes) in ENDS.into_iter().zip([
            [
                (None, 536),
                (Some(0), 536),
                (Some(100), 536),
                (Some(1_459), 1_440),
                (Some(9_000), 1_460),
            ],
            [
                (None, 1_220),
                (Some(0), 1_220),
                (Some(536), 1_220),
                (Some(1_440), 1_440),
                (Some(9_000), 8_940),
            ],
        ]) {
            let (secret, tuple) = (secret(), tuple(ends));
            for (said, kept) in sizes {
                for made in [0, 59, 60, 1_000_000, 256 * 60 + 7] {
                    let made = made * 1_000_000_000;
                    let cookie = secret.cookie(made, &tuple, Seq(77), said);
                    let open = |now| secret.open(now, &tuple, Seq(77), cookie);
                    assert_eq!(open(made), Some(kept));
                    assert_eq!(open(made + MINUTE), Some(kept));
                    assert_eq!(open(made + 2 * MINUTE), None);
                }
            }
        }
    }

    #[test]
    fn what_was_not_answered_with_a_cookie_does_not_open_it() {
        let (secret, other) = (secret(), Secret::beside(&Seed(8).stream("secret test")));
        for ends in ENDS {
            let tuple = tuple(ends);
            let cookie = secret.cookie(0, &tuple, Seq(77), Some(1_460));
            assert_eq!(
                secret.open(0, &tuple, Seq(77), cookie),
                secret.open(1, &tuple, Seq(77), cookie)
            );
            let mut others = [tuple; 2];
            others[0].remote_port += 1;
            others[1].local_port += 1;
            assert!(others.iter().all(|other| secret.open(0, other, Seq(77), cookie).is_none()));
            assert_eq!(other.open(0, &tuple, Seq(77), cookie), None);
            // One number in 2^29 is a cookie by chance.
            let mut guesses = (1..100_000).map(|guess| Seq(cookie.0.wrapping_add(guess * 40_503)));
            assert!(guesses.all(|guess| secret.open(0, &tuple, Seq(77), guess).is_none()));
        }
    }

    #[test]
    fn sequence_numbers_of_one_connection_rise_with_time_and_those_of_two_differ() {
        let (secret, [one, two]) = (secret(), ENDS.map(tuple));
        let first = secret.sequence_number(0, &one);
        assert!(secret.sequence_number(1_000_000, &one).is_after(first));
        assert_ne!(secret.sequence_number(0, &two), first);
        assert_ne!(Secret::beside(&Seed(8).stream("x")).sequence_number(0, &one), first);
    }
}
