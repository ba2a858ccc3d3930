//! What runs on both hosts: one task reads, one writes, as the plan says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use glassnet::net::TcpStream;
use glassnet::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use glassnet::time::sleep;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::draw::Draw;
use super::plan::{Close, End};

/// What an application has seen so far.
#[derive(Default)]
pub(crate) struct Note {
    /// Bytes that `write` took, and that `read` gave.
    pub(crate) written: Cell<u64>,
    pub(crate) read: Cell<u64>,
    pub(crate) end_of_stream: Cell<bool>,
    /// The place of the first byte that the peer did not write there.
    pub(crate) wrong: Cell<Option<u64>>,
    /// Which call failed, and how.
    pub(crate) error: RefCell<Option<String>>,
    pub(crate) done: Cell<bool>,
    peer_ended: Notify,
}

impl Note {
    pub(crate) fn fail(&self, call: &str, error: &std::io::Error) {
        self.error.borrow_mut().get_or_insert_with(|| format!("{call}: {error}"));
    }
}

/// Bytes that do not repeat, none of them zero, to take pieces of.
fn all_bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut draw = Draw::new(0);
        let words =
            (0..(1 << 18) + 4_096).map(|_| (draw.next() | 0x0101_0101_0101_0101).to_le_bytes());
        words.flatten().collect()
    })
}

/// What an end sends; different for each seed and end.
pub(crate) fn stream_of(seed: u64, end: usize, bytes: u64) -> &'static [u8] {
    let from = Draw::new(!seed ^ end as u64).between(0, 1 << 19) as usize;
    &all_bytes()[from..from + bytes as usize]
}

/// Sends and receives until both directions have ended.
pub(crate) async fn exchange(
    stream: TcpStream,
    plan: End,
    seed: u64,
    sends: &'static [u8],
    receives: &'static [u8],
    note: Rc<Note>,
) {
    let (read, write) = stream.into_split();
    let writing =
        glassnet::spawn(write_all(write, plan.clone(), Draw::new(seed), sends, note.clone()));
    // The halves are closed together, when both directions have ended.
    let read = read_all(read, plan, Draw::new(!seed), receives, note.clone()).await;
    let write = writing.await;
    drop((read, write));
    note.done.set(true);
}

async fn read_all(
    mut half: OwnedReadHalf,
    plan: End,
    mut draw: Draw,
    expected: &'static [u8],
    note: Rc<Note>,
) -> OwnedReadHalf {
    pause(plan.read_after).await;
    let mut buffer = vec![0; plan.read_chunk as usize];
    loop {
        let len = draw.between(1, plan.read_chunk) as usize;
        match half.read(&mut buffer[..len]).await {
            Ok(0) => {
                note.end_of_stream.set(true);
                break;
            }
            Ok(len) => {
                let at = note.read.get() as usize;
                let rest = expected.get(at..).unwrap_or_default();
                let same = buffer[..len].iter().zip(rest).take_while(|(a, b)| a == b).count();
                if same < len && note.wrong.get().is_none() {
                    note.wrong.set(Some((at + same) as u64));
                }
                note.read.set((at + len) as u64);
            }
            Err(error) => {
                note.fail("read", &error);
                break;
            }
        }
        pause_up_to(plan.read_pause, &mut draw).await;
    }
    note.peer_ended.notify_one();
    half
}

async fn write_all(
    mut half: OwnedWriteHalf,
    plan: End,
    mut draw: Draw,
    bytes: &'static [u8],
    note: Rc<Note>,
) -> Option<OwnedWriteHalf> {
    let before_peer = match plan.close {
        Close::HalfAfterPeer => bytes.len() / 2,
        _ => bytes.len(),
    };
    let (first, rest) = bytes.split_at(before_peer);
    let mut outcome = write_part(&mut half, first, &plan, &mut draw, &note).await;
    if outcome.is_ok() && plan.close != Close::AfterWriting {
        note.peer_ended.notified().await;
        outcome = write_part(&mut half, rest, &plan, &mut draw, &note).await;
    }
    if let Err(error) = outcome {
        note.fail("write", &error);
        return Some(half);
    }
    if plan.drops_half {
        return None;
    }
    if let Err(error) = half.shutdown().await {
        note.fail("shutdown", &error);
    }
    Some(half)
}

async fn write_part(
    half: &mut OwnedWriteHalf,
    mut bytes: &[u8],
    plan: &End,
    draw: &mut Draw,
    note: &Note,
) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let len = draw.between(1, plan.write_chunk).min(bytes.len() as u64) as usize;
        let written = half.write(&bytes[..len]).await?;
        note.written.set(note.written.get() + written as u64);
        bytes = &bytes[written..];
        pause_up_to(plan.write_pause, draw).await;
    }
    Ok(())
}

async fn pause_up_to(most: Duration, draw: &mut Draw) {
    pause(Duration::from_nanos(draw.between(0, most.as_nanos() as u64))).await;
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}
