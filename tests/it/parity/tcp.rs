//! One text, compiled against tokio and against glassnet: the same names, signatures and traits,
//! and on Linux the same answers from the kernel's stack and from ours.

#[cfg(target_os = "linux")]
mod with_tokio {
    use tokio::net;

    include!("text/tcp.rs");
}

mod with_glassnet {
    use glassnet::net;

    include!("text/tcp.rs");
}

fn observed_here() -> glassnet::Result<Vec<String>> {
    let (result, seen) = (std::rc::Rc::new(std::cell::RefCell::new(Vec::new())), 1);
    let noted = result.clone();
    let mut sim = glassnet::Sim::new(seen);
    sim.client("alone", async move {
        noted.replace(with_glassnet::observe().await?);
        Ok(())
    });
    sim.run()?;
    Ok(result.take())
}

#[test]
#[cfg(target_os = "linux")]
fn every_call_gives_what_it_gives_on_linux() -> glassnet::Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let linux = runtime.block_on(with_tokio::observe())?;
    let ours = observed_here()?;
    let differ: Vec<_> = linux.iter().zip(&ours).filter(|(linux, ours)| linux != ours).collect();
    assert!(differ.is_empty(), "Linux, and ours: {differ:#?}");
    assert_eq!(linux.len(), ours.len());
    Ok(())
}

#[test]
fn every_call_can_be_made() -> glassnet::Result {
    assert!(observed_here()?.len() > 150);
    Ok(())
}
