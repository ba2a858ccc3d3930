//! Arbitrary segments against every state, beside a naive model of RFC 9293 section 3.10.7: after
//! each segment the state, RCV.NXT, SND.UNA, and whether it was answered with a RST, an ACK or
//! nothing, agree.

mod generator;
mod reference;
mod rig;

use generator::Generator;
use reference::{Answer, Incoming, Reference};
use rig::Rig;

use crate::rng::Seed;
use crate::tcp::state::TcpState;

/// The states in which a connection is when the first arbitrary segment comes.
const STATES: [TcpState; 10] = [
    TcpState::SynSent,
    TcpState::SynReceived,
    TcpState::Established,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::CloseWait,
    TcpState::Closing,
    TcpState::LastAck,
    // Once more, as they are where the most can happen.
    TcpState::Established,
    TcpState::SynReceived,
];

/// The engine, and the model that hears what it hears.
struct Twins {
    rig: Rig,
    model: Reference,
    /// What happened, for whom it is not as expected.
    story: Vec<String>,
}

impl Twins {
    /// Takes note of what the engine has sent, which the model does not decide.
    fn note_sent(&mut self) {
        for sent in &self.rig.sent {
            self.model.note_sent(sent);
        }
    }

    fn hear(&mut self, segment: &Incoming) {
        self.story.push(format!("{segment:?} at {}", self.rig.now));
        self.model.rto = self.rig.rto();
        let expected = self.model.hear(self.rig.now, segment);
        let was_refused = self.rig.hear(segment);
        let sent = &self.rig.sent;
        let answer = if was_refused || sent.iter().any(|sent| sent.rst) {
            Answer::Reset
        } else if sent.iter().any(|sent| expected == Answer::Ack || sent.end() == sent.seq) {
            Answer::Ack
        } else {
            Answer::Nothing
        };
        self.note_sent();
        let story = || self.story.join("\n");
        assert_eq!(answer, expected, "the answer; sent: {:?}\n{}", self.rig.sent, story());
        self.compare();
    }

    fn compare(&self) {
        let story = || self.story.join("\n");
        let status = self.rig.status();
        assert_eq!(status.state, self.model.state, "the state\n{}", story());
        if status.state == TcpState::Closed {
            return;
        }
        assert_eq!(status.snd_una, self.model.snd_una, "SND.UNA\n{}", story());
        if status.state != TcpState::SynSent {
            assert_eq!(status.rcv_nxt, self.model.rcv_nxt, "RCV.NXT\n{}", story());
        }
    }

    /// The application does something, or time passes.
    fn act(&mut self, generator: &mut Generator) {
        match generator.up_to(5) {
            0 => {
                self.story.push("write".into());
                self.rig.write(generator.up_to(9_000) as usize);
            }
            1 => {
                self.story.push("read".into());
                self.rig.read(generator.up_to(20_000) as usize);
            }
            2 if generator.up_to(4) == 0 => {
                self.story.push("close".into());
                self.model.close();
                self.rig.close();
            }
            _ => {
                let time = [1, 40, 501, 1_100][generator.up_to(3) as usize];
                self.story.push(format!("{time} ms"));
                self.rig.wait(time);
            }
        }
        self.note_sent();
        if self.rig.is_over() {
            self.model.state = self.rig.status().state;
        }
        self.compare();
    }
}

/// Both are in `state`, brought there by what leads there.
fn twins(state: TcpState, generator: &mut Generator) -> Twins {
    let rig = Rig::new(generator.rig_options());
    let model = Reference::new(rig.status().iss);
    let mut twins = Twins { rig, model, story: Vec::new() };
    if state == TcpState::SynSent || generator.up_to(1) == 0 {
        twins.rig.connect();
        twins.model.connect(twins.rig.status().iss, twins.rig.has_timestamps);
        twins.note_sent();
        if state == TcpState::SynSent {
            return twins;
        }
        // A simultaneous open, or not.
        let is_simultaneous = state == TcpState::SynReceived || generator.up_to(3) == 0;
        let syn = generator.syn(&twins.model, is_simultaneous);
        twins.hear(&syn);
    } else {
        let syn = generator.syn(&twins.model, true);
        let iss = twins.rig.listen(&syn);
        twins.model.listen(iss, twins.rig.has_timestamps);
        twins.hear(&syn);
    }
    if state == TcpState::SynReceived {
        return twins;
    }
    if twins.model.state == TcpState::SynReceived {
        let ack = generator.expected(&twins.model);
        twins.hear(&ack);
    }
    if generator.up_to(1) == 0 {
        twins.rig.write(generator.up_to(30_000) as usize);
        twins.note_sent();
    }
    let fin = |twins: &Twins, generator: &mut Generator| Incoming {
        fin: true,
        ..generator.expected(&twins.model)
    };
    // The peer closes first, or we do, or both at once.
    if matches!(state, TcpState::CloseWait | TcpState::LastAck) {
        let fin = fin(&twins, generator);
        twins.hear(&fin);
    }
    if matches!(
        state,
        TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing | TcpState::LastAck
    ) {
        twins.story.push("close".into());
        twins.model.close();
        twins.rig.close();
        twins.note_sent();
    }
    if state == TcpState::Closing {
        let fin = Incoming { ack: Some(twins.model.snd_una), ..fin(&twins, generator) };
        twins.hear(&fin);
    }
    if state == TcpState::FinWait2 {
        for _ in 0..200 {
            if twins.model.state != TcpState::FinWait1 {
                break;
            }
            let ack = generator.expected(&twins.model);
            twins.hear(&ack);
        }
    }
    assert_eq!(twins.model.state, state);
    twins
}

fn run(seed: u64) {
    let mut generator = Generator::new(Seed(seed).stream("model"));
    // Of a panic this is what is needed to see it again.
    println!("seed {seed}");
    let state = STATES[(seed % STATES.len() as u64) as usize];
    let mut twins = twins(state, &mut generator);
    for _ in 0..40 {
        if twins.rig.is_over() {
            return;
        }
        if generator.up_to(4) == 0 {
            twins.act(&mut generator);
        } else {
            let segment = generator.segment(&twins.model);
            twins.hear(&segment);
        }
    }
}

#[test]
fn whatever_arrives_in_whatever_state_state_and_numbers_and_answers_are_those_of_the_rfc() {
    for seed in 0..1_200 {
        run(seed);
    }
}
