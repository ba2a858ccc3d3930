//! Handles with which faults are entered: from tasks, at a time, until a guard is dropped.

use std::fmt;
use std::time::Duration;

use super::desk::Desk;
use super::held::HeldFrame;
use super::link_fault::{LinkFault, refuse};
use super::verbs::fault_verbs;
use crate::network::StoppedBy;
use crate::world::plan::{Fault, Hosts};

/// Does things to a simulated world on purpose, from wherever it is: from tasks of its hosts, from
/// an observer, from the test between two runs. From [`Sim::faults`](crate::Sim::faults); it may be
/// cloned and sent.
///
/// A fault takes effect in the call: it comes after every frame that was sent before it, by
/// whichever host, and before every frame that is sent after it, also by the same task, which need
/// not wait in between. Before the rest of the tasks have their turn, it is done. An observer that
/// calls is in the middle of a frame's way: the fault comes after that frame, and before the next.
///
/// Each fault is a row in the captures of links, an [event](crate::Event::Fault) and a line in the
/// report of a failure.
///
/// ```
/// use std::time::Duration;
///
/// use glassnet::{Sim, net::{TcpListener, TcpStream}, time::{Instant, sleep}};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let mut sim = Sim::new(7);
/// let faults = sim.faults();
/// sim.host("server", || async {
///     let (mut stream, _) = TcpListener::bind("0.0.0.0:80").await?.accept().await?;
///     let byte = stream.read_u8().await?;
///     stream.write_u8(byte).await?;
///     Ok(())
/// });
/// sim.client("client", async move {
///     let mut stream = TcpStream::connect("server:80").await?;
///     let cut = faults.guarded().partition("client", "server");
///     stream.write_u8(7).await?;
///     sleep(Duration::from_secs(10)).await;
///     drop(cut);
///     assert_eq!(stream.read_u8().await?, 7);
///     assert!(Instant::now().since_start() > Duration::from_secs(10));
///     Ok(())
/// });
/// sim.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What is called after the world is gone does nothing.
///
/// A world on the wall clock (`Live`) has no faults: what it is joined to is not its own.
#[derive(Clone)]
pub struct Faults {
    desk: Desk,
}

impl Faults {
    pub(super) fn new(desk: Desk) -> Faults {
        Faults { desk }
    }

    #[track_caller]
    fn enter(&self, fault: Fault) {
        refuse(self.desk.now(fault, StoppedBy::Call));
    }

    /// The same at a time, counted from the beginning of the world, as
    /// [`Instant::since_start`](crate::time::Instant::since_start) counts.
    #[must_use = "nothing is done until a method says what"]
    pub fn at(&self, time: Duration) -> FaultsAt {
        FaultsAt { desk: self.desk.clone(), at: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// The same until a guard is dropped.
    #[must_use = "nothing is done until a method says what"]
    pub fn guarded(&self) -> GuardedFaults {
        GuardedFaults { desk: self.desk.clone() }
    }

    /// Changes the links between hosts of `a` and hosts of `b`, both directions: each method of what
    /// is returned is a fault. Frames on their way are not affected.
    pub fn link(&self, a: impl Into<Hosts>, b: impl Into<Hosts>) -> LinkFault {
        LinkFault::new(&self.desk, None, (a.into(), b.into()), false)
    }

    /// Changes one direction.
    pub fn one_way(&self, from: impl Into<Hosts>, to: impl Into<Hosts>) -> LinkFault {
        LinkFault::new(&self.desk, None, (from.into(), to.into()), true)
    }

    /// The frames from one host to another that the link [holds](Faults::hold), in the order in
    /// which they were sent. What tasks have sent at this very moment is not among them yet.
    ///
    /// # Panics
    /// When no host has one of the names.
    #[track_caller]
    #[must_use]
    pub fn held(&self, from: &str, to: &str) -> Vec<HeldFrame> {
        match self.desk.held(from, to) {
            Ok(held) => held,
            Err(wrong) => panic!("{wrong}"),
        }
    }

    /// Lets one frame go on its way, though its link goes on holding: it arrives at once, before
    /// those that were sent earlier. False when it is not held any more.
    pub fn deliver(&self, frame: &HeldFrame) -> bool {
        self.desk.deliver(frame)
    }
}

fault_verbs!(Faults, self, &Self);

/// Enters faults that happen at a time: from [`Sim::at`](crate::Sim::at) and [`Faults::at`].
///
/// They are entered in the plan of the world ([`Sim::plan`](crate::Sim::plan)) and happen between two
/// other events; those of one moment in the order in which they were entered. The methods panic as
/// is said there only in a task, where the world is known. Otherwise hosts may come later, and a
/// name that is still unknown is an error of the next run. All panic when the time has passed, and
/// when there are 100,000 faults already.
#[derive(Clone)]
pub struct FaultsAt {
    desk: Desk,
    at: u64,
}

impl FaultsAt {
    #[track_caller]
    fn enter(&self, fault: Fault) {
        refuse(self.desk.at(self.at, fault));
    }

    /// Changes the links between hosts of `a` and hosts of `b`, both directions: each method of what
    /// is returned is a fault. Frames on their way are not affected.
    pub fn link(&self, a: impl Into<Hosts>, b: impl Into<Hosts>) -> LinkFault {
        LinkFault::new(&self.desk, Some(self.at), (a.into(), b.into()), false)
    }

    /// Changes one direction.
    pub fn one_way(&self, from: impl Into<Hosts>, to: impl Into<Hosts>) -> LinkFault {
        LinkFault::new(&self.desk, Some(self.at), (from.into(), to.into()), true)
    }
}

fault_verbs!(FaultsAt, self, &Self);

/// Faults that last until their guard is dropped: from [`Faults::guarded`]. They begin at once.
#[derive(Clone)]
pub struct GuardedFaults {
    desk: Desk,
}

impl GuardedFaults {
    /// [`Faults::partition`], until the guard is dropped.
    ///
    /// # Panics
    /// As [`Faults::partition`].
    #[track_caller]
    pub fn partition(&self, a: impl Into<Hosts>, b: impl Into<Hosts>) -> FaultGuard {
        self.enter(Fault::Partition { a: a.into(), b: b.into() })
    }

    /// [`Faults::partition_one_way`], until the guard is dropped.
    ///
    /// # Panics
    /// As [`Faults::partition`].
    #[track_caller]
    pub fn partition_one_way(&self, from: impl Into<Hosts>, to: impl Into<Hosts>) -> FaultGuard {
        self.enter(Fault::PartitionOneWay { from: from.into(), to: to.into() })
    }

    /// [`Faults::hold`], until the guard is dropped.
    ///
    /// # Panics
    /// As [`Faults::partition`].
    #[track_caller]
    pub fn hold(&self, a: impl Into<Hosts>, b: impl Into<Hosts>) -> FaultGuard {
        self.enter(Fault::Hold { a: a.into(), b: b.into() })
    }

    /// [`Faults::hold_one_way`], until the guard is dropped.
    ///
    /// # Panics
    /// As [`Faults::partition`].
    #[track_caller]
    pub fn hold_one_way(&self, from: impl Into<Hosts>, to: impl Into<Hosts>) -> FaultGuard {
        self.enter(Fault::HoldOneWay { from: from.into(), to: to.into() })
    }

    #[track_caller]
    fn enter(&self, fault: Fault) -> FaultGuard {
        let end = fault.opposite();
        refuse(self.desk.now(fault, StoppedBy::Guard));
        FaultGuard { desk: self.desk.clone(), end }
    }
}

/// A fault that lasts as long as this: when it is dropped, the fault ends as by
/// [`Faults::heal`] or [`Faults::release`].
///
/// Each guard ends its own fault and no other: where two overlap, or one and a fault of a call, the
/// link is cut, or holds, until the last of them has ended; `heal` and `release` do not end what a
/// guard has begun. A guard that a task holds is dropped with the task, also when its host crashes.
/// One that outlives its world does nothing.
#[must_use = "the fault ends when the guard is dropped"]
pub struct FaultGuard {
    desk: Desk,
    end: Option<Fault>,
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            // Its names were right when it began.
            let _ = self.desk.now(end, StoppedBy::Guard);
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Faults").finish_non_exhaustive()
    }
}

impl fmt::Debug for FaultsAt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Duration::from_nanos(self.at);
        formatter.debug_struct("FaultsAt").field("at", &at).finish_non_exhaustive()
    }
}

impl fmt::Debug for GuardedFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GuardedFaults").finish_non_exhaustive()
    }
}

impl fmt::Debug for FaultGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FaultGuard").field("end", &self.end).finish_non_exhaustive()
    }
}
