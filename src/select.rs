//! `select!`: exported macros are at the root of a crate, and this one calls itself there.

/// Waits until one of several futures is ready and runs its handler; the others are dropped.
/// `tokio::select!`'s counterpart, with the same syntax:
///
/// ```
/// use std::time::Duration;
///
/// use glassnet::time::sleep;
///
/// let mut sim = glassnet::Sim::new(7);
/// sim.client("client", async {
///     let won = glassnet::select! {
///         () = sleep(Duration::from_millis(20)) => "the slow",
///         () = sleep(Duration::from_millis(10)) => "the quick",
///         else => "nobody",
///     };
///     assert_eq!(won, "the quick");
///     Ok(())
/// });
/// sim.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each branch is `pattern = future => handler`, with `, if condition` before the arrow where the
/// branch is not always wanted. A branch whose output does not match its pattern is out; when all
/// are, `else` is run, and without it there is a panic. In each poll the branches are looked at from
/// a random one on, so that none starves the others. Unlike tokio's, the draws come from the seed:
/// from a stream of each host that is for this alone. With `biased;`
/// as the first words they are looked at from the first on, and nothing is drawn.
///
/// `tokio::select!` runs here as well, but only with `biased;` does the same seed give the same run.
#[macro_export]
macro_rules! select {
    // Branches are told apart one after the other: `(@ (start) {those told apart} rest)`.
    (@ ($($start:tt)*) { $($branch:tt)+ }) => {
        $crate::select!(@ ($($start)*) { $($branch)+ }
            else => panic!("all branches are disabled and there is no else branch"))
    };
    (@ ($($start:tt)*) { $($branch:tt)+ } else => $else:expr $(,)?) => {
        $crate::__macros::expand_select! { ($crate) ($($start)*) ($else) $($branch)+ }
    };
    (@ $start:tt { $($branch:tt)* } $pattern:pat = $future:expr, if $condition:expr => $handler:block, $($rest:tt)*) => {
        $crate::select!(@ $start { $($branch)* { ($pattern) ($future) ($condition) ($handler) } } $($rest)*)
    };
    (@ $start:tt { $($branch:tt)* } $pattern:pat = $future:expr => $handler:block, $($rest:tt)*) => {
        $crate::select!(@ $start { $($branch)* { ($pattern) ($future) (true) ($handler) } } $($rest)*)
    };
    (@ $start:tt { $($branch:tt)* } $pattern:pat = $future:expr, if $condition:expr => $handler:block $($rest:tt)*) => {
        $crate::select!(@ $start { $($branch)* { ($pattern) ($future) ($condition) ($handler) } } $($rest)*)
    };
    (@ $start:tt { $($branch:tt)* } $pattern:pat = $future:expr => $handler:block $($rest:tt)*) => {
        $crate::select!(@ $start { $($branch)* { ($pattern) ($future) (true) ($handler) } } $($rest)*)
    };
    (@ $start:tt { $($branch:tt)* } $pattern:pat = $future:expr, if $condition:expr => $handler:expr) => {
        $crate::select!(@ $start { $($branch)* { ($pattern) ($future) ($condition) ($handler) } })
    };
    (@ $start:tt { $($branch:tt)* } $pattern:pat = $future:expr => $handler:expr) => {
        $crate::select!(@ $start { $($branch)* { ($pattern) ($future) (true) ($handler) } })
    };
    (@ $start:tt { $($branch:tt)* } $pattern:pat = $future:expr, if $condition:expr => $handler:expr, $($rest:tt)*) => {
        $crate::select!(@ $start { $($branch)* { ($pattern) ($future) ($condition) ($handler) } } $($rest)*)
    };
    (@ $start:tt { $($branch:tt)* } $pattern:pat = $future:expr => $handler:expr, $($rest:tt)*) => {
        $crate::select!(@ $start { $($branch)* { ($pattern) ($future) (true) ($handler) } } $($rest)*)
    };
    ($(biased;)? else => $else:expr $(,)?) => {
        { $else }
    };
    (biased; $pattern:pat = $($rest:tt)*) => {
        $crate::select!(@ (0) {} $pattern = $($rest)*)
    };
    ($pattern:pat = $($rest:tt)*) => {
        $crate::select!(@ ($crate::task::select::first_branch(__GLASSNET_BRANCHES)) {} $pattern = $($rest)*)
    };
    () => {
        compile_error!("select! requires at least one branch.")
    };
}
