//! The Unix domain sockets are tokio's: the same code compiles against both, and its calls give
//! the same, here and on the Linux that the tests run on.

use crate::common;

/// The real ones.
mod real {
    use tokio::net;

    include!("text/unix.rs");
}

/// Ours.
mod glass {
    use glassnet::net;

    include!("text/unix.rs");
}

#[test]
fn the_types_have_the_same_traits() {
    real::the_types_have_the_traits();
    glass::the_types_have_the_traits();
}

#[test]
fn the_methods_have_the_same_signatures() {
    real::the_plain_methods_have_the_signatures();
    glass::the_plain_methods_have_the_signatures();
    let _ = real::the_async_methods_have_the_signatures;
    let _ = glass::the_async_methods_have_the_signatures;
}

#[test]
fn the_same_calls_give_the_same_as_on_linux() -> glassnet::Result {
    let directory = common::directory::Directory::new("parity");
    let name = directory.to_str().expect("the directory has a readable name").to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let on_linux = runtime.block_on(real::conversation(&name, |path| {
        std::fs::remove_file(path).unwrap();
    }));
    drop(directory);
    let on_linux = on_linux?;

    let log = common::Log::new();
    let ours = log.clone();
    common::alone(async move {
        let lines = glass::conversation(&name, |path| {
            glassnet::net::unix::remove_file(path).unwrap();
        });
        lines.await?.into_iter().for_each(|line| ours.note(line));
        Ok(())
    })?;
    let ours = log.all();
    for (ours, on_linux) in ours.iter().zip(&on_linux) {
        assert_eq!(ours, on_linux);
    }
    assert_eq!(ours.len(), on_linux.len());
    Ok(())
}
