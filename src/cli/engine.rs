//! `--engine`: what speaks TCP on a host, and how that is set.

use glassnet::{HostOptions, TcpEngine};

/// An engine by its name.
pub(crate) fn engine(text: &str) -> Result<TcpEngine, String> {
    match text.to_ascii_lowercase().as_str() {
        "smoltcp" => Ok(TcpEngine::Smoltcp),
        "glassnet" => Ok(TcpEngine::Glassnet),
        _ => Err("an engine is smoltcp or glassnet".to_owned()),
    }
}

/// The options of a host with this engine: with glassnet's own those of Linux.
pub(crate) fn host_options(engine: TcpEngine) -> HostOptions {
    match engine {
        TcpEngine::Smoltcp => HostOptions::default().tcp_engine(engine),
        TcpEngine::Glassnet => HostOptions::linux(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_has_a_name() {
        assert_eq!(engine("smoltcp"), Ok(TcpEngine::Smoltcp));
        assert_eq!(engine("Glassnet"), Ok(TcpEngine::Glassnet));
        assert!(engine("linux").unwrap_err().contains("smoltcp or glassnet"));
    }
}
