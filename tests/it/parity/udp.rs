//! UDP sockets are tokio's: the same code compiles against both, and its calls give the same,
//! here and on the Linux that the tests run on.

use crate::common;

/// The real ones.
mod real {
    use tokio::net;

    include!("text/udp.rs");
}

/// Ours.
mod glass {
    use glassnet::net;

    include!("text/udp.rs");
}

#[test]
fn the_type_has_the_same_traits() {
    real::the_type_has_the_traits();
    glass::the_type_has_the_traits();
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let on_linux = runtime.block_on(real::conversation(async || {
        tokio::time::sleep(common::ms(20)).await;
    }))?;
    let log = common::Log::new();
    let ours = log.clone();
    common::alone(async move {
        glass::conversation(async || glassnet::time::sleep(common::ms(20)).await)
            .await?
            .into_iter()
            .for_each(|line| ours.note(line));
        Ok(())
    })?;
    let ours = log.all();
    for (ours, on_linux) in ours.iter().zip(&on_linux) {
        assert_eq!(ours, on_linux);
    }
    assert_eq!(ours.len(), on_linux.len());
    Ok(())
}
