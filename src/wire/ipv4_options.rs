//! The options of an IPv4 header (RFC 791 3.1), as a host looks at them that is no router.

use super::ip::IPV4_HEADER;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;
const ROUTER_ALERT: u8 = 148;

/// Where an option has its length, and where the options of routes have their pointer.
const LEN: usize = 1;
const POINTER: usize = 2;
/// Where a timestamp option has its overflow and its flag.
const FLAGS: usize = 3;

/// Why a packet with options is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionFault {
    /// Its sender chose its route, which Linux allows nobody (`accept_source_route`, RFC 7126 4.3).
    SourceRoute,
    /// The byte of the header at which something is wrong, for a parameter problem.
    Malformed(usize),
}

/// Judges the options of a whole header, as Linux's `ip_options_compile` does.
#[cold]
pub(crate) fn check_options(header: &[u8]) -> Result<(), OptionFault> {
    let mut at = IPV4_HEADER;
    let (mut has_source_route, mut has_record, mut has_timestamp) = (false, false, false);
    while let Some(&kind) = header.get(at) {
        if kind == END {
            break;
        }
        if kind == NO_OPERATION {
            at += 1;
            continue;
        }
        let len = header.get(at + LEN).map_or(0, |len| usize::from(*len));
        let option = header.get(at..at + len).filter(|_| len >= 2);
        let Some(option) = option else { return Err(OptionFault::Malformed(at)) };
        let fault = match kind {
            LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE => {
                let is_second = std::mem::replace(&mut has_source_route, true);
                fault_of_route(option).or(is_second.then_some(0))
            }
            RECORD_ROUTE if std::mem::replace(&mut has_record, true) => Some(0),
            RECORD_ROUTE => fault_of_route(option).or_else(|| fault_of_room(option, 4)),
            TIMESTAMP if std::mem::replace(&mut has_timestamp, true) => Some(0),
            TIMESTAMP => fault_of_timestamp(option),
            ROUTER_ALERT if len < 4 => Some(LEN),
            _ => None,
        };
        if let Some(within) = fault {
            return Err(OptionFault::Malformed(at + within));
        }
        at += len;
    }
    if has_source_route { Err(OptionFault::SourceRoute) } else { Ok(()) }
}

/// What is wrong with a pointer to the first address.
fn fault_of_route(option: &[u8]) -> Option<usize> {
    match option {
        [_, _] => Some(LEN),
        [_, _, 0..4, ..] => Some(POINTER),
        _ => None,
    }
}

/// Whether an option that is not full has no room for `entry` bytes more.
fn fault_of_room(option: &[u8], entry: usize) -> Option<usize> {
    let pointer = usize::from(option[POINTER]);
    (pointer <= option.len() && pointer - 1 + entry > option.len()).then_some(POINTER)
}

fn fault_of_timestamp(option: &[u8]) -> Option<usize> {
    let [_, _, pointer, flags, ..] = *option else { return Some(LEN) };
    let (overflow, flag) = (flags >> 4, flags & 0x0f);
    match usize::from(pointer) {
        0..5 => Some(POINTER),
        pointer if pointer <= option.len() => {
            // Flags 1 and 3: with an address each.
            fault_of_room(option, if matches!(flag, 1 | 3) { 8 } else { 4 })
        }
        _ => (flag != 3 && overflow == 15).then_some(FLAGS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &[u8]) -> Result<(), OptionFault> {
        let mut header = vec![0; IPV4_HEADER];
        header.extend(options);
        check_options(&header)
    }

    /// Linux 6.18 answers these with a parameter problem that points here.
    #[test]
    fn what_is_wrong_with_options_is_pointed_at() {
        let faults: [(&[u8], usize); 18] = [
            (&[1, 7, 0, 0], 21),
            (&[7, 1, 0, 0], 20),
            (&[1, 7, 9, 4], 21),
            (&[1, 1, 1, 7], 23),
            (&[131, 2, 0, 0], 21),
            (&[131, 7, 3, 1, 2, 3, 4, 0], 22),
            (&[131, 3, 4, 137, 3, 4, 0, 0], 23),
            (&[7, 3, 4, 7, 3, 4, 0, 0], 23),
            (&[7, 2, 0, 0], 21),
            (&[7, 7, 3, 0, 0, 0, 0, 0], 22),
            (&[7, 7, 5, 0, 0, 0, 0, 0], 22),
            (&[68, 4, 5, 0x10, 68, 4, 5, 0], 24),
            (&[68, 3, 5, 0], 21),
            (&[68, 8, 4, 0, 0, 0, 0, 0], 22),
            (&[68, 8, 6, 0, 0, 0, 0, 0], 22),
            (&[68, 8, 5, 1, 0, 0, 0, 0], 22),
            (&[68, 4, 5, 0xf0], 23),
            (&[148, 3, 0, 0], 21),
        ];
        for (options, at) in faults {
            assert_eq!(check(options), Err(OptionFault::Malformed(at)), "{options:?}");
        }
    }

    #[test]
    fn options_that_make_sense_are_let_through_whatever_they_say() {
        let options: [&[u8]; 10] = [
            &[],
            &[7, 7, 4, 0, 0, 0, 0, 0],
            &[7, 7, 8, 1, 2, 3, 4, 0],
            &[68, 8, 5, 0, 0, 0, 0, 0],
            &[68, 4, 5, 0xf3],
            &[148, 4, 0, 0],
            &[148, 4, 0, 1],
            &[30, 4, 0, 0],
            &[130, 4, 0, 0],
            // What follows the end of the list is padding.
            &[0, 7, 0, 0],
        ];
        for options in options {
            assert_eq!(check(options), Ok(()), "{options:?}");
        }
    }

    #[test]
    fn a_source_route_is_no_route_that_is_taken_even_when_it_has_ended() {
        for options in
            [[131, 7, 4, 10, 0, 0, 9, 0], [137, 7, 4, 10, 0, 0, 9, 0], [131, 7, 8, 10, 0, 0, 9, 0]]
        {
            assert_eq!(check(&options), Err(OptionFault::SourceRoute));
        }
    }

    #[test]
    fn no_options_at_all_make_it_read_beyond_the_header() {
        let mut stream = crate::rng::Seed(3).stream("options");
        for _ in 0..50_000 {
            let options: Vec<u8> =
                (0..4 * stream.up_to(10)).map(|_| stream.up_to(150) as u8).collect();
            let _ = check(&options);
        }
    }
}
