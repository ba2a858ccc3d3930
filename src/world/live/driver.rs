//! Drives a live world by poll(2): over the device, the signals and an alarm.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::clock::WallClock;
use super::signals::Signals;
use super::world::{Input, LiveWorld, Next, Progress};
use crate::device::{Device, MAX_FRAME};
use crate::error::Result;
use crate::task::Origin;
use crate::wire::frame::FrameBuffer;
use crate::world::core::limits::{BURST, ROUNDS};

const SECOND: u64 = 1_000_000_000;

/// Drives a live world in the thread that calls it, which sleeps while nothing happens.
pub(super) struct Driver<'l> {
    world: LiveWorld<'l>,
    device: &'l mut Device,
    clock: WallClock,
    signals: Option<Signals>,
    /// Wakes the thread when another one has left something to do.
    alarm: Arc<OwnedFd>,
    /// What poll(2) said of each descriptor.
    ready: Vec<bool>,
    /// Frames that the world sends, kept to keep their memory.
    sent: Vec<FrameBuffer>,
    /// The longest frame that the device may bring.
    frame_len: usize,
}

impl<'l> Driver<'l> {
    pub(super) fn new(
        world: LiveWorld<'l>,
        device: &'l mut Device,
        clock: WallClock,
        signals: Option<Signals>,
    ) -> io::Result<Driver<'l>> {
        let alarm = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let bell = alarm.clone();
        world.alarm().set(Box::new(move || {
            let _ = rustix::io::write(&*bell, &1u64.to_ne_bytes());
        }));
        let offloads = device.set_offload(world.may_offload());
        let frame_len = if offloads { MAX_FRAME } else { world.max_frame_len() };
        let (ready, sent) = (Vec::new(), Vec::new());
        Ok(Driver { world, device, clock, signals, alarm, ready, sent, frame_len })
    }

    pub(super) fn stopped_by(&self) -> Option<i32> {
        self.world.stopped_by()
    }

    /// Runs until `main` has ended and its connections are closed, or a signal comes. Whatever goes
    /// wrong, tasks end as tasks of this host, and captures are whole.
    pub(super) fn run<F>(&mut self, main: F, origin: Origin) -> Result
    where
        F: Future<Output = Result> + 'static,
    {
        let _running = self.world.enter();
        let span = self.world.span();
        let _in_span = span.enter();
        let worked = self.work(main, origin);
        let left = self.leave();
        let ended = match worked {
            Ok(()) => self.world.take_result().and(left.map_err(Into::into)),
            Err(error) => Err(error.into()),
        };
        let whole = self.world.conclude(&ended, self.device.counters());
        ended?;
        Ok(whole?)
    }

    fn work<F>(&mut self, main: F, origin: Origin) -> io::Result<()>
    where
        F: Future<Output = Result> + 'static,
    {
        while self.world.waits_for_address() {
            self.turn()?;
        }
        if self.world.stopped_by().is_some() {
            return Ok(());
        }
        self.world.start(origin, main);
        loop {
            let is_busy = self.settle()?;
            match self.world.next(self.device.is_flushed()) {
                Next::Again => {}
                Next::Wait => {
                    self.wait(is_busy)?;
                    if self.world.has_ended() {
                        return Ok(());
                    }
                }
                Next::Leave => return Ok(()),
            }
        }
    }

    /// Takes leave of the neighbours, and waits until that has left, if it does so soon.
    fn leave(&mut self) -> io::Result<()> {
        self.world.leave()?;
        self.transmit()?;
        self.device.flush();
        while self.world.is_leaving(self.device.is_flushed()) {
            self.turn()?;
            self.device.flush();
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        let is_busy = self.settle()?;
        self.wait(is_busy)
    }

    /// Lets tasks and host have their turns until neither has anything to do now. True when they
    /// may have more.
    fn settle(&mut self) -> io::Result<bool> {
        for _ in 0..ROUNDS {
            let progress = self.world.step()?;
            self.transmit()?;
            match progress {
                Progress::Works => {}
                Progress::Rests => return Ok(false),
                // Tasks may wait for what the device brings.
                Progress::Yields => break,
            }
        }
        Ok(true)
    }

    /// Sleeps until something happens, and hands it to the world.
    fn wait(&mut self, is_busy: bool) -> io::Result<()> {
        if let Some(signal) = self.sleep(is_busy)? {
            self.world.handle(self.clock.now(), Input::Signal(signal))?;
            if self.world.has_ended() {
                return Ok(());
            }
        }
        self.world.handle(self.clock.now(), Input::Time)?;
        self.transmit()?;
        self.receive()
    }

    /// Sleeps until something happens. Returns the signal that came.
    fn sleep(&mut self, is_busy: bool) -> io::Result<Option<i32>> {
        self.device.flush();
        self.world.flush_streams()?;
        self.world.alarm().arm();
        let deadline = if is_busy { Some(0) } else { self.world.deadline() };
        let until = [deadline, self.device.deadline()].into_iter().flatten().min();
        let timeout = until.map(|until| {
            let left = until.saturating_sub(self.clock.now());
            Timespec {
                tv_sec: i64::try_from(left / SECOND).unwrap_or(i64::MAX),
                tv_nsec: (left % SECOND) as _,
            }
        });
        let mut interests = Vec::with_capacity(4);
        self.device.interests(&mut interests);
        let of_device = interests.len();
        let mut polled: Vec<PollFd<'_>> = Vec::with_capacity(of_device + 3);
        for interest in &interests {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, interest.writable);
            polled.push(PollFd::from_borrowed_fd(interest.descriptor, flags));
        }
        polled.push(PollFd::from_borrowed_fd(self.alarm.as_fd(), PollFlags::IN));
        for signal in self.signals.iter().flat_map(Signals::descriptors) {
            polled.push(PollFd::from_borrowed_fd(signal, PollFlags::IN));
        }
        let result = poll(&mut polled, timeout.as_ref());
        self.ready.clear();
        self.ready.extend(polled.iter().map(|polled| {
            let happened = polled.revents();
            result.is_ok() && !happened.is_empty() && happened != PollFlags::OUT
        }));
        drop(polled);
        drop(interests);
        self.world.alarm().disarm();
        match result {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        self.device.note_ready(&self.ready[..of_device]);
        if self.ready[of_device] {
            let _ = rustix::io::read(&*self.alarm, &mut [0; 8]);
        }
        let has_signal = self.ready[of_device + 1..].contains(&true);
        Ok(self.signals.as_mut().filter(|_| has_signal).and_then(Signals::take))
    }

    /// Takes in what has arrived, up to a burst. What accepts connections has its turn before a
    /// queue overflows.
    fn receive(&mut self) -> io::Result<()> {
        let mut next = self.next_frame()?;
        for _ in 0..BURST {
            let Some(frame) = next else { return Ok(()) };
            next = self.next_frame()?;
            self.arrive(frame, next.is_some())?;
        }
        match next {
            Some(frame) => self.arrive(frame, false),
            None => Ok(()),
        }
    }

    fn arrive(&mut self, frame: FrameBuffer, more_follows: bool) -> io::Result<()> {
        let now = self.world.now();
        self.world.handle(now, Input::Frame { frame, more_follows })?;
        self.transmit()?;
        if more_follows && self.world.has_changed_states() {
            self.settle()?;
        }
        Ok(())
    }

    fn next_frame(&mut self) -> io::Result<Option<FrameBuffer>> {
        let mut frame = self.world.take_buffer(self.frame_len);
        match self.device.receive(self.world.now(), frame.bytes_mut())? {
            Some(received) => {
                frame.truncate(received.len);
                frame.set_checksum(received.checksum);
                Ok(Some(frame))
            }
            None => {
                self.world.give_back(frame);
                Ok(None)
            }
        }
    }

    /// Hands what the world sends to the device.
    fn transmit(&mut self) -> io::Result<()> {
        self.world.take_sent(&mut self.sent);
        if self.sent.is_empty() {
            return Ok(());
        }
        let sent = self.device.send_all(self.sent.iter().map(FrameBuffer::bytes));
        self.sent.drain(..).for_each(|frame| self.world.give_back(frame));
        sent
    }
}
