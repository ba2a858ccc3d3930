//! What can be done to a world on purpose, as methods: of [`Sim`](crate::Sim), of
//! [`Faults`](crate::Faults) and of [`FaultsAt`](crate::FaultsAt), which differ in when.

/// Gives a type the methods that enter faults, each of which calls its `enter`.
macro_rules! fault_verbs {
    ($type:ty, $this:ident, $receiver:ty) => {
        impl $type {
            /// Cuts hosts off from each other: every IP packet between a host of `a` and one of `b`
            /// is lost, in both directions
            /// ([`DropReason::Partition`](crate::DropReason::Partition)); those on their way still
            /// arrive. ARP and neighbour discovery pass, as when something beyond the switch is
            /// broken, so that a connection attempt
            /// gets no answer, rather than `HostUnreachable`.
            ///
            /// Either is a name or a list of names. Hosts of one group hear each other.
            ///
            /// # Panics
            /// When no host has one of the names, a list is empty, or a host is in both; the message
            /// lists the names that there are.
            #[track_caller]
            pub fn partition($this: $receiver, a: impl Into<Hosts>, b: impl Into<Hosts>) {
                $this.enter(Fault::Partition { a: a.into(), b: b.into() });
            }

            /// As `partition`, for what hosts of `from` send to hosts of `to`. What is said in the
            /// other direction arrives, and its acknowledgments are lost.
            ///
            /// # Panics
            /// As `partition`.
            #[track_caller]
            pub fn partition_one_way(
                $this: $receiver,
                from: impl Into<Hosts>,
                to: impl Into<Hosts>,
            ) {
                $this.enter(Fault::PartitionOneWay { from: from.into(), to: to.into() });
            }

            /// Ends partitions between hosts of `a` and hosts of `b`, whichever call began them; not
            /// those of [guards](crate::FaultGuard), which end with their guards.
            ///
            /// # Panics
            /// As `partition`.
            #[track_caller]
            pub fn heal($this: $receiver, a: impl Into<Hosts>, b: impl Into<Hosts>) {
                $this.enter(Fault::Heal { a: a.into(), b: b.into() });
            }

            /// As `heal`, for one direction.
            ///
            /// # Panics
            /// As `partition`.
            #[track_caller]
            pub fn heal_one_way($this: $receiver, from: impl Into<Hosts>, to: impl Into<Hosts>) {
                $this.enter(Fault::HealOneWay { from: from.into(), to: to.into() });
            }

            /// Has the links between hosts of `a` and hosts of `b` keep every IP packet, in both
            /// directions, in the order in which they are sent, until they are released. Those on
            /// their way still arrive. While a link holds, it loses nothing, duplicates nothing and
            /// delays nothing; what is larger than its MTU, or sent during a partition, is lost as
            /// ever. ARP and neighbour discovery pass.
            ///
            /// What is held counts as what is on its way: beyond
            /// [`Impairments`](crate::Impairments)' `in_flight`, and
            /// [`Sim::in_flight_limit`](crate::Sim::in_flight_limit) for the whole world, frames are
            /// dropped ([`DropReason::InFlightLimit`](crate::DropReason::InFlightLimit)).
            ///
            /// # Panics
            /// As `partition`.
            #[track_caller]
            pub fn hold($this: $receiver, a: impl Into<Hosts>, b: impl Into<Hosts>) {
                $this.enter(Fault::Hold { a: a.into(), b: b.into() });
            }

            /// As `hold`, for one direction.
            ///
            /// # Panics
            /// As `partition`.
            #[track_caller]
            pub fn hold_one_way($this: $receiver, from: impl Into<Hosts>, to: impl Into<Hosts>) {
                $this.enter(Fault::HoldOneWay { from: from.into(), to: to.into() });
            }

            /// Ends holds: what was held arrives at once, in the order in which it was sent, however
            /// long the link delays what is sent from now on; and not before what was on its way
            /// when the hold began. Where a [guard](crate::FaultGuard) holds as well, nothing is
            /// released until it is dropped.
            ///
            /// # Panics
            /// As `partition`.
            #[track_caller]
            pub fn release($this: $receiver, a: impl Into<Hosts>, b: impl Into<Hosts>) {
                $this.enter(Fault::Release { a: a.into(), b: b.into() });
            }

            /// As `release`, for one direction.
            ///
            /// # Panics
            /// As `partition`.
            #[track_caller]
            pub fn release_one_way($this: $receiver, from: impl Into<Hosts>, to: impl Into<Hosts>) {
                $this.enter(Fault::ReleaseOneWay { from: from.into(), to: to.into() });
            }

            /// Cuts the power of a host, or of several: its tasks are dropped, its connections are
            /// gone, and it sends nothing any more, so its peers get no answer. A client that crashes
            /// counts as ended.
            ///
            /// A task that crashes its own host runs on to where it next waits, and no further;
            /// nothing that it sends after this leaves.
            ///
            /// # Panics
            /// When no host has the name.
            #[track_caller]
            pub fn crash($this: $receiver, hosts: impl Into<Hosts>) {
                $this.enter(Fault::Crash { hosts: hosts.into() });
            }

            /// Crashes a host, or several, if it has not, and starts it anew: with an empty stack,
            /// the same address, and the function given to [`Sim::host`](crate::Sim::host).
            ///
            /// # Panics
            /// When no host has the name, or it is a client, which cannot be bounced: its future
            /// runs once.
            #[track_caller]
            pub fn bounce($this: $receiver, hosts: impl Into<Hosts>) {
                $this.enter(Fault::Bounce { hosts: hosts.into() });
            }

            /// Sends a signal to the program of a host, or of several: 15 for `SIGTERM`, as
            /// `libc::SIGTERM` is. A program that handles it, as by `tokio::signal` on a host that runs
            /// tokio, goes on, and does what it does about it; a program that does nothing about it ends
            /// as a kernel ends a process: its tasks are dropped, and its sockets are closed, which
            /// their peers see. The machine stays up; `bounce` starts it anew. A client that ends so
            /// counts as ended.
            ///
            /// Programs that use glassnet's own sockets handle no signal. tokio keeps one list of who
            /// waits for a signal for a whole process: where several hosts of a process wait for the
            /// same one through `tokio::signal`, all of them hear what one of them is sent, and a
            /// host whose program does not counts as one that does. `SIGKILL` (9) is for one host alone, always.
            ///
            /// # Panics
            /// When no host has the name, or there is no such signal, or it is one that stops a
            /// program.
            #[track_caller]
            pub fn signal($this: $receiver, hosts: impl Into<Hosts>, signal: i32) {
                $this.enter(Fault::Signal { hosts: hosts.into(), signal });
            }

            /// Any fault, as data.
            ///
            /// # Panics
            /// As the method that is named after it.
            #[track_caller]
            pub fn fault($this: $receiver, fault: Fault) {
                $this.enter(fault);
            }
        }
    };
}

pub(super) use fault_verbs;
