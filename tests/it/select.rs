//! `glassnet::select!`: tokio's syntax, and branches drawn from the seed.
#![allow(clippy::needless_return)]

use std::cell::RefCell;
use std::future::{pending, ready};
use std::rc::Rc;

use crate::common::ms;
use glassnet::Sim;
use glassnet::time::sleep;

/// Which of four branches that are always ready were chosen, `times` in a row.
fn chosen(seed: u64, times: usize, draws: bool) -> (Vec<u8>, Vec<u64>) {
    let all = Rc::new(RefCell::new((Vec::new(), Vec::new())));
    let noted = all.clone();
    let mut sim = Sim::new(seed);
    sim.client("alone", async move {
        for _ in 0..times {
            if draws {
                noted.borrow_mut().1.push(glassnet::rng().next_u64());
            }
            let branch = glassnet::select! {
                () = ready(()) => 0,
                () = ready(()) => 1,
                () = ready(()) => 2,
                () = ready(()) => 3,
            };
            noted.borrow_mut().0.push(branch);
        }
        Ok(())
    });
    sim.run().unwrap();
    drop(sim);
    Rc::try_unwrap(all).unwrap().into_inner()
}

#[test]
fn each_branch_comes_first_as_often_and_the_seed_decides_when() {
    let (once, _) = chosen(7, 1_000, false);
    for branch in 0..4 {
        let count = once.iter().filter(|it| **it == branch).count();
        assert!((200..300).contains(&count), "branch {branch}: {count} of 1000");
    }
    assert_eq!(chosen(7, 1_000, false).0, once);
    assert_ne!(chosen(8, 1_000, false).0, once);
}

#[test]
fn its_draws_and_those_of_the_application_do_not_move_each_other() {
    let (alone, _) = chosen(7, 50, false);
    let (beside, drawn) = chosen(7, 50, true);
    assert_eq!(alone, beside);
    let numbers = Rc::new(RefCell::new(Vec::new()));
    let noted = numbers.clone();
    let mut sim = Sim::new(7);
    sim.client("alone", async move {
        *noted.borrow_mut() = (0..50).map(|_| glassnet::rng().next_u64()).collect();
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(drawn, *numbers.borrow());
}

fn alone<F>(main: F) -> glassnet::Result
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = Sim::new(1);
    sim.client("alone", main);
    sim.run()
}

#[test]
fn a_biased_one_always_begins_with_the_first() -> glassnet::Result {
    alone(async {
        for _ in 0..100 {
            glassnet::select! {
                biased;
                () = ready(()) => {}
                () = ready(()) => panic!("the second"),
            }
        }
        Ok(())
    })
}

#[test]
fn every_form_that_tokio_takes_is_taken() -> glassnet::Result {
    alone(async {
        // Handlers with and without braces and commas, borrowed futures, conditions.
        let mut slow = Box::pin(sleep(ms(5)));
        let mut log = Vec::new();
        let mut turns = 0;
        loop {
            glassnet::select! {
                () = &mut slow, if !log.contains(&"slow") => log.push("slow"),
                Some(mut number) = async { Some(3) }, if turns < 2 => {
                    number += 1;
                    assert_eq!(number, 4);
                    turns += 1;
                    log.push("number");
                    if turns > 5 { continue }
                }
                _ = sleep(ms(10)), if false => { unreachable!() },
                else => break,
            }
        }
        log.sort_unstable();
        assert_eq!(log, ["number", "number", "slow"]);
        Ok(())
    })
}

#[test]
fn an_output_that_does_not_match_leaves_it_to_the_others() -> glassnet::Result {
    alone(async {
        let value = glassnet::select! {
            Some(value) = ready(None::<u8>) => value,
            Ok::<u8, ()>(ref value @ 1..=9) = async { sleep(ms(1)).await; Ok(7) } => *value,
        };
        assert_eq!(value, 7);
        let nobody = glassnet::select! {
            Some(()) = ready(None::<()>) => "somebody",
            else => "nobody",
        };
        assert_eq!(nobody, "nobody");
        Ok(())
    })
}

#[test]
#[should_panic(expected = "all branches are disabled and there is no else branch")]
fn without_else_there_must_be_a_branch() {
    let _ = alone(async {
        glassnet::select! { Some(()) = ready(None::<()>) => Ok(()) }
    });
}

#[test]
fn question_marks_returns_and_borrows_reach_where_they_are_written() -> glassnet::Result {
    async fn first(mut numbers: Vec<u8>) -> Result<u8, String> {
        glassnet::select! {
            // The other branch's borrow has ended when a handler runs.
            number = async { numbers.first().copied() } => {
                numbers.push(1);
                Ok(number.ok_or("none")?)
            }
            () = pending() => return Err("never".to_owned()),
        }
    }
    alone(async {
        assert_eq!(first(vec![5]).await, Ok(5));
        assert_eq!(first(vec![]).await, Err("none".to_owned()));
        Ok(())
    })
}

#[test]
fn the_future_is_send_where_its_branches_are() {
    fn sends(_: impl Send) {}
    sends(async {
        glassnet::select! {
            () = ready(()) => {}
            number = ready(1) => assert_eq!(number, 1),
        }
    });
}
