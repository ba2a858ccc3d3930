//! What is left of a plan when everything is taken away that its failure does not need.

use std::time::Duration;

use glassnet::CongestionControl;

use super::knobs::Way;
use super::plan::{Close, Plan};
use super::run::{Kind, run};

/// One way to make a plan simpler.
type Step = fn(&mut Plan);

const STEPS: &[Step] = &[
    |plan| plan.ways.iter_mut().for_each(|way| way.loss = 0.0),
    |plan| plan.ways.iter_mut().for_each(|way| way.duplicate = 0.0),
    |plan| plan.ways.iter_mut().for_each(|way| way.reorder = 0.0),
    |plan| plan.ways.iter_mut().for_each(|way| way.jitter = Duration::ZERO),
    |plan| plan.ways.iter_mut().for_each(|way| way.rate = None),
    |plan| plan.ways.iter_mut().for_each(|way| way.delay = Duration::from_millis(1)),
    |plan| plan.ways[0] = Way::after(plan.ways[0].delay),
    |plan| plan.ways[1] = Way::after(plan.ways[1].delay),
    |plan| plan.healed.delay = plan.ways[0].delay,
    |plan| plan.heals_at = Duration::from_secs(60),
    |plan| plan.outage = None,
    |plan| plan.ipv6 = false,
    |plan| plan.ends[0].bytes = 0,
    |plan| plan.ends[1].bytes = 0,
    |plan| plan.ends[0].bytes /= 2,
    |plan| plan.ends[1].bytes /= 2,
    |plan| plan.ends.iter_mut().for_each(|end| end.close = Close::AfterWriting),
    |plan| plan.ends.iter_mut().for_each(|end| end.drops_half = false),
    |plan| plan.ends.iter_mut().for_each(|end| end.write_pause = Duration::ZERO),
    |plan| plan.ends.iter_mut().for_each(|end| end.read_pause = Duration::ZERO),
    |plan| plan.ends.iter_mut().for_each(|end| end.read_after = Duration::ZERO),
    |plan| plan.ends.iter_mut().for_each(|end| end.write_chunk = 65_536),
    |plan| plan.ends.iter_mut().for_each(|end| end.read_chunk = 65_536),
    |plan| plan.ends.iter_mut().for_each(|end| end.stack.mtu = 1500),
    |plan| plan.ends.iter_mut().for_each(|end| end.stack.ack_delay = None),
    |plan| plan.ends.iter_mut().for_each(|end| end.stack.nagle = true),
    |plan| {
        let reno = CongestionControl::Reno;
        plan.ends.iter_mut().for_each(|end| end.stack.congestion_control = reno);
    },
    |plan| plan.ends[0].stack.recv_buffer = 65_535,
    |plan| plan.ends[0].stack.send_buffer = 65_535,
    |plan| plan.ends[1].stack.recv_buffer = 65_535,
    |plan| plan.ends[1].stack.send_buffer = 65_535,
];

/// Applies each step that leaves a failure of the same kind, until none does.
pub(crate) fn shrink(plan: &Plan, kind: Kind) -> Plan {
    let mut plan = plan.clone();
    loop {
        let before = plan.to_string();
        for step in STEPS {
            let mut simpler = plan.clone();
            step(&mut simpler);
            let changed = simpler.to_string() != plan.to_string();
            if changed && run(&simpler, false).failure.is_some_and(|(its, _)| its == kind) {
                plan = simpler;
            }
        }
        if plan.to_string() == before {
            return plan;
        }
    }
}
