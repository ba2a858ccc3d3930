//! The command line of the examples that also serve on a real network: `[CAPTURE]`, or
//! `DEVICE NAME ADDRESS/LEN…`.

pub(crate) fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// A host on a TAP device of the kernel, or on a cable between processes.
#[cfg(target_os = "linux")]
pub(crate) fn live(
    device: &str,
    name: &str,
    addresses: &[String],
) -> glassnet::Result<glassnet::Live> {
    let mut live = match device {
        "tap" => glassnet::Live::tap(name)?,
        "cable" => glassnet::Live::cable(name)?,
        other => return Err(format!("{other} is neither tap nor cable").into()),
    };
    for address in addresses {
        let (address, len) = address.split_once('/').ok_or("an address is ADDRESS/LEN")?;
        live.address(address.parse::<std::net::IpAddr>()?, len.parse()?);
    }
    Ok(live)
}
