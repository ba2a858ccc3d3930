//! The command line of the examples that also serve on a real network: `[CAPTURE]`, or
//! `DEVICE NAME ADDRESS/LEN… [CAPTURE]`.

/// The arguments, unless a name is missing among them.
pub fn arguments() -> glassnet::Result<Vec<String>> {
    let arguments = std::env::args_os().skip(1);
    let arguments: Vec<String> =
        arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    match &arguments[..] {
        [device] if device == "tap" || device == "cable" => {
            Err(format!("{device} NAME ADDRESS/LEN…: the name is missing").into())
        }
        _ => Ok(arguments),
    }
}

/// A host on a TAP device of the kernel, or on a cable between processes. A capture is a path
/// from the root, or to a `.pcapng`.
#[cfg(target_os = "linux")]
pub fn live(device: &str, name: &str, rest: &[String]) -> glassnet::Result<glassnet::Live> {
    let mut live = match device {
        "tap" => glassnet::Live::tap(name)?,
        "cable" => glassnet::Live::cable(name)?,
        other => return Err(format!("{other} is neither tap nor cable").into()),
    };
    for argument in rest {
        if argument.starts_with('/') || argument.ends_with(".pcapng") {
            live.capture(argument)?;
            continue;
        }
        let (address, len) = argument.split_once('/').ok_or("an address is ADDRESS/LEN")?;
        live.address(address.parse::<std::net::IpAddr>()?, len.parse()?);
    }
    Ok(live)
}
