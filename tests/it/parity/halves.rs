//! An error is told once per socket, so one half of a stream has it and the other has not: here, and
//! on the Linux that the tests run on.

use std::cell::RefCell;
use std::rc::Rc;

use crate::common::alone;

/// The real ones.
mod real {
    use tokio::net;

    include!("text/halves.rs");
}

/// Ours.
mod glass {
    use glassnet::net;

    include!("text/halves.rs");
}

type Told = Vec<(&'static str, &'static str, Vec<String>)>;

fn told_here() -> glassnet::Result<Told> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let noted = told.clone();
    alone(async move {
        noted.replace(glass::told().await?);
        Ok(())
    })?;
    Ok(told.take())
}

fn of<'t>(told: &'t Told, stream: &str, order: &str) -> Vec<&'t str> {
    let found = told.iter().find(|it| (it.0, it.1) == (stream, order));
    found.expect("it was tried").2.iter().map(String::as_str).collect()
}

#[test]
fn once_the_write_half_was_told_of_a_reset_the_read_half_reads_a_clean_end() -> glassnet::Result {
    let told = told_here()?;
    for tcp in ["tcp", "tcp, borrowed"] {
        assert_eq!(of(&told, tcp, "wrrw"), ["ConnectionReset", "0", "0", "BrokenPipe"]);
        assert_eq!(of(&told, tcp, "wa"), ["ConnectionReset", "0"]);
        // The other way round the write half is left with what it may know by itself.
        assert_eq!(of(&told, tcp, "rrww"), ["ConnectionReset", "0", "BrokenPipe", "BrokenPipe"]);
        assert_eq!(of(&told, tcp, "aw"), ["ConnectionReset", "BrokenPipe"]);
    }
    Ok(())
}

#[test]
fn writing_to_a_unix_stream_leaves_the_error_to_the_read_half() -> glassnet::Result {
    let told = told_here()?;
    for unix in ["unix", "unix, borrowed"] {
        assert_eq!(of(&told, unix, "wrrw"), ["BrokenPipe", "ConnectionReset", "0", "BrokenPipe"]);
        assert_eq!(of(&told, unix, "wa"), ["BrokenPipe", "ConnectionReset"]);
    }
    Ok(())
}

#[test]
fn take_error_takes_the_error_from_both_halves() -> glassnet::Result {
    let told = told_here()?;
    for stream in ["tcp", "unix"] {
        assert_eq!(of(&told, stream, "trw"), ["Some(ConnectionReset)", "0", "BrokenPipe"]);
    }
    Ok(())
}

#[test]
fn linux_tells_the_same_half() -> glassnet::Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    assert_eq!(told_here()?, runtime.block_on(real::told())?);
    Ok(())
}
