//! The Domain Name System (RFC 1034, RFC 1035): the resolver of a host, and the server of a world.

mod message;
mod resolver;
mod server;
mod zone;

pub(crate) use server::serve;

use std::io;
use std::net::IpAddr;

use self::message::{Kind, Reply};
use super::names::{AddrInfoErrorKind, Family, Found, NameService};

/// Asks for the addresses of a name, in some families; none may be found.
///
/// # Errors
/// `EAI_NONAME` when there is no such name, `EAI_AGAIN` when no server answers, `EAI_FAIL` when
/// one does not understand.
pub(super) async fn look_up(
    names: &NameService,
    name: &str,
    families: &[Family],
) -> io::Result<Found> {
    let kind_of = |family: &Family| match family {
        Family::V4 => Kind::A,
        Family::V6 => Kind::Aaaa,
    };
    let kinds: Vec<Kind> = families.iter().map(kind_of).collect();
    let (replies, unanswered) = resolver::ask(names, name, &kinds).await?;
    let mut all = Found::default();
    for reply in replies {
        let found = found(reply, name)?;
        if all.canonical.is_empty() || all.addresses.is_empty() {
            (all.canonical, all.aliases) = (found.canonical, found.aliases);
        }
        all.addresses.extend(found.addresses);
    }
    match unanswered {
        // One of two answers will do if it helps.
        Some(error) if all.addresses.is_empty() => Err(error),
        _ => Ok(all),
    }
}

/// Asks for the name of an address; `None` when it has none.
///
/// # Errors
/// Those of [`look_up`], without `EAI_NONAME`.
pub(super) async fn look_up_address(
    names: &NameService,
    address: IpAddr,
) -> io::Result<Option<Found>> {
    let name = zone::reverse_name(address);
    let (replies, unanswered) = resolver::ask(names, &name, &[Kind::Ptr]).await?;
    if let Some(error) = unanswered {
        return Err(error);
    }
    for reply in replies {
        if matches!(reply, Reply::NoName) {
            continue;
        }
        let found = found(reply, &name)?;
        if !found.canonical.is_empty() {
            return Ok(Some(Found { addresses: vec![address], ..found }));
        }
    }
    Ok(None)
}

fn found(reply: Reply, name: &str) -> io::Result<Found> {
    match reply {
        Reply::Found(found) => Ok(found),
        Reply::NoName => Err(AddrInfoErrorKind::NoName.about(format!("{name:?}"))),
        Reply::Refused | Reply::Truncated => {
            Err(AddrInfoErrorKind::Again.about(format!("{name:?}")))
        }
        Reply::Failed => Err(AddrInfoErrorKind::Fail.about(format!("{name:?}"))),
    }
}
