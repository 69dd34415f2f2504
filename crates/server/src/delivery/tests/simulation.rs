//! A simulation of the engine: the real state machine, lanes, sweep, finish and tick; the clock, the receivers and the failures of
//! the store are made from a seed.
//!
//! A seed is a story of some twenty steps (publishes, receivers that break and recover, webhooks switched, deleted and tested,
//! resends, nodes that are killed, clocks that are set, a store that fails), and then a calm end in which everything that is
//! owed has to arrive. Everything happens on one thread, so the same seed gives the same story every time. What must hold
//! is in [`laws`].
//!
//! A seed that fails is printed. `BELLWIRE_SEED=123 cargo test -p bellwire simulation::one` plays it alone and tells its story;
//! `BELLWIRE_SEEDS=100000..200000 cargo test -p bellwire simulation::many` plays as many as you like.

mod laws;
mod receivers;
mod story;

use std::ops::Range;

pub(in crate::delivery) use receivers::Receivers;
use story::Story;

use crate::db::{faulty::silence_wanted_panics, inline::Inline};

/// Seeds in each of the twenty tests: 10,000 in all.
const SHARE: u64 = 500;

fn ground() -> Inline {
    silence_wanted_panics();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(story::ground())
}

fn play(seeds: Range<u64>) {
    let ground = ground();
    let broken: Vec<String> = seeds.filter_map(|seed| Story::play(&ground, seed).err()).take(3).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

macro_rules! shares {
    ($($name:ident $number:literal),*) => {
        $(#[test]
        fn $name() {
            play($number * SHARE..($number + 1) * SHARE);
        })*
    };
}
shares!(
    seeds_0 0, seeds_1 1, seeds_2 2, seeds_3 3, seeds_4 4, seeds_5 5, seeds_6 6, seeds_7 7, seeds_8 8, seeds_9 9,
    seeds_10 10, seeds_11 11, seeds_12 12, seeds_13 13, seeds_14 14, seeds_15 15, seeds_16 16, seeds_17 17, seeds_18 18, seeds_19 19
);

#[test]
fn the_same_seed_tells_the_same_story() {
    let ground = ground();
    for seed in 0..24 {
        assert_eq!(Story::play(&ground, seed), Story::play(&ground, seed), "seed {seed}");
    }
}

/// For a seed that has failed.
#[test]
fn one() {
    let seed = std::env::var("BELLWIRE_SEED").map_or(0, |seed| seed.parse().unwrap());
    match Story::play(&ground(), seed) {
        Ok(story) => println!("{story}"),
        Err(broken) => panic!("{broken}"),
    }
}

/// For as many seeds as there is time for.
#[test]
fn many() {
    let Ok(seeds) = std::env::var("BELLWIRE_SEEDS") else { return };
    let (from, to) = seeds.split_once("..").unwrap();
    play(from.parse().unwrap()..to.parse().unwrap());
}
