//! Ticks at a steady rate, from a thread of their own: a runtime's timer counts in whole milliseconds, which is as long as what
//! is measured.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::receiver::micros_now;

/// Gives the times (in microseconds since the epoch) at which `count` things should be done, `rate` a second, each at its
/// time. Nobody's slowness delays the next: what is late is late by the clock.
pub(crate) fn ticks(count: u64, rate: u64) -> mpsc::UnboundedReceiver<u64> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let start = micros_now();
        for number in 0..count {
            let due = start + number * 1_000_000 / rate;
            std::thread::sleep(Duration::from_micros(due.saturating_sub(micros_now())));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    receiver
}
