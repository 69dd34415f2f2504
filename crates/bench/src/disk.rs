//! What a durable write costs on the disk under the database: the floor of every latency that has a commit in it.

use std::{fs::File, os::unix::fs::FileExt, path::Path, time::Duration};

use crate::{Failure, receiver::micros_now};

/// As many pages as a commit of one event writes, more or less.
const PAGES: usize = 12;
const PAGE: usize = 4096;
/// The file is written round and round, as a write-ahead log is.
const ROUND: usize = 40;

/// How long `write` and `fsync` take on a file in `folder`, sorted.
pub(crate) fn commits(folder: &Path, count: usize) -> Result<Vec<Duration>, Failure> {
    let path = folder.join("commits");
    let file = File::create(&path)?;
    let bytes = vec![7; PAGES * PAGE];
    let mut times = Vec::with_capacity(count);
    for number in 0..ROUND + count {
        let start = micros_now();
        file.write_all_at(&bytes, u64::try_from(number % ROUND * bytes.len())?)?;
        file.sync_all()?;
        if number >= ROUND {
            times.push(Duration::from_micros(micros_now() - start));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    std::fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times)
}
