//! What the operating system says of this process, under the names that everybody's programs use for it. Linux only: elsewhere
//! nothing is said.

use std::fs;

/// Clock ticks in a second, as `/proc` counts: the same on all architectures that Linux runs on today.
const TICKS: u64 = 100;

/// As of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Time on processors, in hundredths of a second.
    pub cpu: u64,
    /// Memory in use, in bytes.
    pub memory: u64,
    /// Open files and sockets.
    pub files: u64,
    /// As many may be open.
    pub max_files: u64,
}

impl Process {
    /// Asks the system; `None` when it does not tell.
    pub fn look() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let files = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
        parse(&stat, &status, &limits, files)
    }

    /// Time on processors as seconds: "12.34".
    pub fn cpu_seconds(self) -> String {
        format!("{}.{:02}", self.cpu / TICKS, self.cpu % TICKS)
    }
}

fn parse(stat: &str, status: &str, limits: &str, files: u64) -> Option<Process> {
    // The name in parentheses may hold anything, also blanks and parentheses.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = resident.split_whitespace().next()?.parse().ok()?;
    let open = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let open = open.split_whitespace().next()?;
    Some(Process {
        cpu: number(11)? + number(12)?,
        memory: kibibytes * 1024,
        files,
        max_files: if open == "unlimited" { u64::MAX } else { open.parse().ok()? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_says() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 500 0 0 0 120 34 0 0 20 0 4 0 99 1000 10 18446744073709551615 1";
        let status = "Name:\tx\nVmRSS:\t   2048 kB\nThreads:\t4\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        let process = parse(stat, status, limits, 9).unwrap();
        assert_eq!(process, Process { cpu: 154, memory: 2 * 1024 * 1024, files: 9, max_files: 1024 });
        assert_eq!(process.cpu_seconds(), "1.54");
        assert_eq!(parse("", status, limits, 9), None);
    }
}
